"""Response of `/workers`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field, WithJsonSchema

from store.models import leased_models

WorkKind = Annotated[str, WithJsonSchema({"type": "string", "enum": [model.noun for model in leased_models()]})]


class Work(BaseModel):
    """A piece of work that a worker holds a lease on."""

    kind: WorkKind
    id: str


class DevicesInfo(BaseModel):
    """What a worker's machine computes with."""

    cpu_cores: int
    cuda: list[str] = Field(description="The name of each CUDA device. Jobs with `device: cuda` need one.")
    memory_bytes: int | None = Field(None, description="Memory that processes may use. Null: not reported.")
    cuda_bytes: list[int] = Field([], description="Memory of each CUDA device. Empty: not reported.")
    bf16: bool = Field(False, description="Whether `precision: auto` is bf16.")


class WorkerInfo(BaseModel):
    """A worker process, and whether it is alive."""

    id: str = Field(description="Host name and random digits. Every start of a worker makes a new one.")
    live: bool = Field(description="Whether its heartbeat is recent enough for it to count as alive.")
    started_at: dt.datetime
    heartbeat_at: dt.datetime
    silent_seconds: float = Field(description="Seconds since its last heartbeat.")
    devices: DevicesInfo | None = Field(description="Null: not reported, by a worker of an earlier version.")
    works_on: list[Work]
