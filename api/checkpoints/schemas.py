"""Responses of the checkpoints calls."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class CheckpointInfo(BaseModel):
    """A saved state that the run can resume from."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    epoch: int = Field(description="Finished epochs.")
    step: int
    bytes: int
    sha256: str
    created_at: dt.datetime
