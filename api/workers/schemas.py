"""What `/workers` answers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from store.models import leased_models

WorkKind = Annotated[str, WithJsonSchema({"type": "string", "enum": [model.noun for model in leased_models()]})]


class Work(BaseModel):
    """A row that a worker holds by its lease."""

    kind: WorkKind
    id: str


class WorkerInfo(BaseModel):
    """A worker, and whether it shows signs of life."""

    id: str = Field(description="Host name and random digits, new with every start.")
    live: bool = Field(description="Whether its heartbeat is recent enough for it to count as alive.")
    started_at: dt.datetime
    heartbeat_at: dt.datetime
    silent_seconds: float = Field(description="Since its last heartbeat.")
    works_on: list[Work]
