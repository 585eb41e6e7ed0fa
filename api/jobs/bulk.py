"""Cancelling many jobs at once."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from api.jobs.schemas import Tag
from api.kinds.names import FrameworkName, SamplerName
from store.repositories import jobs
from store.repositories.jobs import MOST_CANCELLED, JobFilter
from store.statuses import WorkStatus


class JobsToCancel(BaseModel):
    """Which queued and running jobs to cancel: those that fit all that is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"status": "queued", "tag": "sweep"}})

    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] | None = Field(
        None, max_length=MOST_CANCELLED
    )
    status: Literal["queued", "running"] | None = Field(None, description="Default: both.")
    dataset_id: str | None = Field(None, min_length=1, max_length=64)
    sampler: SamplerName | None = None
    framework: FrameworkName | None = None
    tag: Tag | None = None
    name: str | None = Field(None, min_length=1, max_length=100, description="A part of the name, as in the list.")
    mine: bool = Field(
        False, strict=True, description="Only jobs that this token submitted or resumed. Without a token: all."
    )

    @model_validator(mode="after")
    def _not_all_by_mistake(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError("say which jobs: ids, or a filter such as status 'queued'")
        return self


class CancelledJobs(BaseModel):
    """What was cancelled. Jobs that had ended, or that do not exist, are left out."""

    cancelled: list[str] = Field(description="Ids of those that waited.")
    cancelling: list[str] = Field(description="Ids of those that ran. They are `cancelled` once they have stopped.")
    more: bool = Field(description=f"Whether there may be more: at most {MOST_CANCELLED} are cancelled at once.")


def cancel(session: Session, wanted: JobsToCancel, submitter: str | None) -> CancelledJobs:
    """Cancel the jobs that wait or run and fit all that is wanted, up to a number at once.

    Args:
        submitter: id of the token that asks; None without a token.
    """
    fitting = JobFilter(
        status=None if wanted.status is None else WorkStatus(wanted.status),
        dataset_id=wanted.dataset_id,
        sampler=wanted.sampler,
        framework=wanted.framework,
        tag=wanted.tag,
        name=wanted.name,
    )
    found = jobs.cancel_many(session, fitting, wanted.ids, submitter if wanted.mine else None)
    return CancelledJobs(
        cancelled=[job_id for job_id, status in found.items() if status == WorkStatus.CANCELLED],
        cancelling=[job_id for job_id, status in found.items() if status == WorkStatus.CANCELLING],
        more=len(found) == MOST_CANCELLED,
    )
