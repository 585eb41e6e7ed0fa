"""Responses of the seats call."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class SeatInfo(BaseModel):
    """What one worker gives to one attempt of a job over several machines."""

    model_config = ConfigDict(from_attributes=True)

    attempt: int | None = Field(description="Null until the job has all its seats and begins.")
    node_rank: int | None = Field(description="0 leads. Null until the job begins.")
    worker_id: str
    address: str = Field(description="Where the other machines reach this one.")
    port: int | None = Field(description="On which the leader listens. Null in the others' seats.")
    gpus: int = Field(description="That its processes use. 0: they compute on the CPU.")
    created_at: dt.datetime
    lease_expires_at: dt.datetime | None = Field(
        description="Its worker is given up as silent then. Null: the seat was given back."
    )
