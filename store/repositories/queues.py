"""What waits for a worker."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.leases import KINDS
from store.models import Job


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows of one kind that nobody works on, and since when the first of them has waited."""

    length: int
    since: dt.datetime | None


def waiting(session: Session) -> dict[str, Queue]:
    """The queue of each kind of work. A job that was resumed or put back waits since then."""
    queues = {}
    for model, kind in KINDS.items():
        since = func.coalesce(Job.queued_at, Job.created_at) if model is Job else model.created_at
        row = session.execute(
            select(func.count().label("length"), func.min(since).label("since"))
            .select_from(model)
            .where(model.status == model.waiting, model.lease_token.is_(None))
        ).one()
        queues[kind] = Queue(row.length, row.since)
    return queues
