"""What the checkpoints calls answer."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class CheckpointInfo(BaseModel):
    """A state that the run can go on from."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    epoch: int = Field(description="Finished epochs.")
    step: int
    bytes: int
    sha256: str
    created_at: dt.datetime
