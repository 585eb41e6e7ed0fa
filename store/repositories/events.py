"""What happened to a job, in order: an append-only log that live streams read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, literal, select
from sqlalchemy.orm import Session

from store.models import Job, JobEvent
from store.statuses import WorkStatus


def append(session: Session, job_id: str, kind: str, data: dict[str, Any]) -> None:
    """Log an event.

    Write the job's row in the same transaction first: its lock keeps ids in the order in which they
    become visible.
    """
    session.add(JobEvent(job_id=job_id, kind=kind, data=data))
    session.flush()


def after(session: Session, job_id: str, event_id: int, limit: int) -> list[JobEvent]:
    """The job's next events behind `event_id`, oldest first.

    Args:
        event_id: any number of a client, larger than an id's column too.
    """
    later = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > literal(event_id, BigInteger))
    return list(session.scalars(later.order_by(JobEvent.id).limit(limit)))


def statuses(session: Session, job_ids: set[str]) -> dict[str, WorkStatus]:
    """The status of each of these jobs; a job that is gone is missing."""
    rows = session.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))
    return {row.id: row.status for row in rows}
