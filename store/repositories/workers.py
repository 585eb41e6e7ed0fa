"""Workers, their heartbeats, and what they work on."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.models import Worker, leased_models, utc_now
from store.repositories.pages import Slice, keyset_page


@dataclass(frozen=True, slots=True)
class Work:
    """A row that a worker holds by lease."""

    kind: str
    id: str


def beat(session: Session, worker_id: str, forget_after: dt.timedelta) -> None:
    """Update the worker's heartbeat, and forget workers that have been silent for longer."""
    now = utc_now()
    session.merge(Worker(id=worker_id, heartbeat_at=now))
    session.execute(delete(Worker).where(Worker.heartbeat_at < now - forget_after))


def forget(session: Session, worker_id: str) -> None:
    """Delete the row of a worker that has ended."""
    session.execute(delete(Worker).where(Worker.id == worker_id))


def last_beat(session: Session, host: str) -> dt.datetime | None:
    """The latest heartbeat of the workers on one machine; None if there are none."""
    mine = Worker.id.startswith(f"{host}-", autoescape=True)
    return session.scalar(select(func.max(Worker.heartbeat_at)).where(mine))


def count_live(session: Session, silence: float) -> int:
    """How many workers have sent a heartbeat within the last `silence` seconds."""
    since = utc_now() - dt.timedelta(seconds=silence)
    return session.scalar(select(func.count()).select_from(Worker).where(Worker.heartbeat_at >= since)) or 0


def page(session: Session, limit: int, cursor: str | None) -> Slice[Worker]:
    """A page of workers, the latest start first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return keyset_page(session, select(Worker), Worker, "-started_at", limit, cursor)


def work_of(session: Session, worker_ids: Collection[str]) -> dict[str, list[Work]]:
    """The rows that each of these workers holds now."""
    held: defaultdict[str, list[Work]] = defaultdict(list)
    for model in leased_models():
        rows = session.execute(
            # Only rows in work can be held. Their status is indexed, so a long history does not
            # slow this query.
            select(model.id, model.worker_id).where(
                model.status.in_(model.in_work),
                model.lease_token.is_not(None),
                model.worker_id.in_(worker_ids),
            )
        )
        for row in rows:
            held[row.worker_id].append(Work(model.noun, row.id))
    return dict(held)
