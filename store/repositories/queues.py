"""Work that waits for a worker."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import leased_models


@dataclass(frozen=True, slots=True)
class Queue:
    """Number of waiting rows of one kind, and the time since which the first has waited."""

    length: int
    since: dt.datetime | None


def waiting(session: Session) -> dict[str, Queue]:
    """The queue of each kind of work."""
    queues = {}
    for model in leased_models():
        row = session.execute(
            select(func.count().label("length"), func.min(model.waiting_since()).label("since"))
            .select_from(model)
            .where(model.status == model.waiting, model.lease_token.is_(None))
        ).one()
        queues[model.noun] = Queue(row.length, row.since)
    return queues
