"""A job's events in order. Live streams read this log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, func, insert, literal, select
from sqlalchemy.orm import Session

from store.models import Job, JobEvent
from store.statuses import WorkStatus


def append(session: Session, job_id: str, kind: str, data: dict[str, Any]) -> None:
    """Add an event.

    Write the job's row first, in the same transaction. Its lock makes events visible in the order
    of their ids.
    """
    append_all(session, kind, {job_id: data})


def append_all(session: Session, kind: str, data: Mapping[str, dict[str, Any]]) -> None:
    """Add an event to each of these jobs, by id. See :func:`append`."""
    if data:
        rows = [{"job_id": job_id, "kind": kind, "data": of_job} for job_id, of_job in data.items()]
        session.execute(insert(JobEvent), rows)


def after(session: Session, job_id: str, event_id: int, limit: int) -> list[JobEvent]:
    """The job's next events after `event_id`, oldest first.

    Args:
        session: a session.
        job_id: the job.
        event_id: an integer from a client, which may be larger than the column's type allows.
        limit: the most events to return.
    """
    later = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > literal(event_id, BigInteger))
    return list(session.scalars(later.order_by(JobEvent.id).limit(limit)))


def last_id(session: Session, job_id: str) -> int:
    """The id of the job's last event; 0 without one."""
    return session.scalar(select(func.max(JobEvent.id)).where(JobEvent.job_id == job_id)) or 0


def log_lines(session: Session, job_id: str, event_id: int, last: int | None) -> list[tuple[dt.datetime, str]]:
    """The lines of the job's log, oldest first, with the times at which they were written.

    Args:
        session: a session.
        job_id: the job.
        event_id: only lines of later events; from a client, as in :func:`after`.
        last: at most so many, the newest; None for all.
    """
    of_job = (JobEvent.job_id == job_id, JobEvent.kind == "log", JobEvent.id > literal(event_id, BigInteger))
    rows = select(JobEvent.created_at, JobEvent.data).where(*of_job).order_by(JobEvent.id.desc()).limit(last)
    found = [
        (row.created_at, str(line)) for row in session.execute(rows) for line in reversed(row.data.get("lines", []))
    ]
    return found[:last][::-1]


def statuses(session: Session, job_ids: set[str]) -> dict[str, WorkStatus]:
    """The status of each of these jobs. Deleted jobs are left out."""
    rows = session.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))
    return {row.id: row.status for row in rows}
