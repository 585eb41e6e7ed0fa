"""Responses of the attempts call."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from store.statuses import AttemptOutcome


class AttemptInfo(BaseModel):
    """One start of a job, by one worker."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="1 for the job's first start. Resuming a job does not reset it.")
    worker_id: str
    started_at: dt.datetime
    ended_at: dt.datetime | None = Field(description="Null while it runs.")
    outcome: AttemptOutcome | None = Field(
        description="worker_lost: its worker sent no heartbeat for too long. shut_down: its worker was stopped. "
        "Null while it runs."
    )
    reason: str | None = Field(description="Why it did not succeed, in words.")
    from_epoch: int | None = Field(description="Finished epochs it resumed from. Null until it trains.")
    from_step: int | None = Field(description="Finished steps it resumed from. Null until it trains.")
    epoch: int | None = Field(description="Finished epochs of the job when it ended.")
    step: int | None = Field(description="Finished steps of the job when it ended.")
