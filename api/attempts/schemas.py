"""What a job's attempts answer."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from store.statuses import AttemptOutcome


class AttemptInfo(BaseModel):
    """One start of a job, by one worker."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="1 for the job's first start; counts on over resumes.")
    worker_id: str
    started_at: dt.datetime
    ended_at: dt.datetime | None = Field(description="Null while it runs.")
    outcome: AttemptOutcome | None = Field(
        description="worker_lost: its worker fell silent; shut_down: its worker was stopped. Null while it runs."
    )
    reason: str | None = Field(description="In words, where it did not end well.")
    from_epoch: int | None = Field(description="Finished epochs that it went on from; null until it trains.")
    from_step: int | None = Field(description="Finished steps that it went on from; null until it trains.")
    epoch: int | None = Field(description="Finished epochs of the job when it ended.")
    step: int | None = Field(description="Finished steps of the job when it ended.")
