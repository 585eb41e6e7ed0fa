"""A job's attempts, and how each ended.

They are written in the transaction that changes the job itself, while its row is locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store.models import Job, JobAttempt, utc_now
from store.repositories.pages import Slice, numbered_page
from store.statuses import AttemptOutcome


def begin(session: Session, job_id: str, worker_id: str) -> int:
    """Add an attempt: a worker has claimed the job. Answers its number."""
    earlier = session.scalar(select(func.max(JobAttempt.number)).where(JobAttempt.job_id == job_id)) or 0
    session.add(JobAttempt(job_id=job_id, number=earlier + 1, worker_id=worker_id))
    session.flush()
    return earlier + 1


def goes_on_from(session: Session, job_id: str, epoch: int, step: int) -> None:
    """Note the finished epochs and steps from which the running attempt begins to train."""
    _update_running(session, job_id, {"from_epoch": epoch, "from_step": step})


def end(session: Session, job: Job, outcome: AttemptOutcome, reason: str | None = None) -> None:
    """Note how the running attempt ended, and how far the job has come."""
    _update_running(
        session,
        job.id,
        {"ended_at": utc_now(), "outcome": outcome, "reason": reason, "epoch": job.epoch, "step": job.step},
    )


def page(session: Session, job_id: str, limit: int, cursor: str | None) -> Slice[JobAttempt]:
    """A page of attempts, oldest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    mine = select(JobAttempt).where(JobAttempt.job_id == job_id)
    return numbered_page(session, mine, JobAttempt.number, limit, cursor)


def counts_by_outcome(session: Session) -> dict[AttemptOutcome, int]:
    """The number of ended attempts, by outcome."""
    ended = select(JobAttempt.outcome, func.count().label("attempts")).where(JobAttempt.outcome.is_not(None))
    return {row.outcome: row.attempts for row in session.execute(ended.group_by(JobAttempt.outcome))}


def _update_running(session: Session, job_id: str, values: Mapping[str, Any]) -> None:
    # No row matches for a job that an earlier version of this service has started.
    session.execute(
        update(JobAttempt)
        .where(JobAttempt.job_id == job_id, JobAttempt.ended_at.is_(None))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
