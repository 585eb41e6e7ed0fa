"""What `/workers` answers."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field


class Work(BaseModel):
    """A row that a worker holds by its lease."""

    kind: Literal["job", "dataset", "ood_pool", "evaluation", "analysis"]
    id: str


class WorkerInfo(BaseModel):
    """A worker, and whether it shows signs of life."""

    id: str = Field(description="Host name and random digits, new with every start.")
    live: bool = Field(description="Whether its heartbeat is recent enough for it to count as alive.")
    started_at: dt.datetime
    heartbeat_at: dt.datetime
    silent_seconds: float = Field(description="Since its last heartbeat.")
    works_on: list[Work]
