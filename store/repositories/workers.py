"""Workers that show signs of life, and what they work on."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.leases import KINDS
from store.models import Worker, utc_now
from store.repositories.pages import Slice, keyset_page


@dataclass(frozen=True, slots=True)
class Work:
    """A row that is held by lease."""

    kind: str
    id: str


def count_live(session: Session, silence: float) -> int:
    """How many workers moved their heartbeat within the last `silence` seconds."""
    since = utc_now() - dt.timedelta(seconds=silence)
    return session.scalar(select(func.count()).select_from(Worker).where(Worker.heartbeat_at >= since)) or 0


def page(session: Session, limit: int, cursor: str | None) -> Slice[Worker]:
    """The one started last first."""
    return keyset_page(session, select(Worker), Worker, "-started_at", limit, cursor)


def work_of(session: Session, worker_ids: Collection[str]) -> dict[str, list[Work]]:
    """What each of these workers holds at the moment."""
    held: defaultdict[str, list[Work]] = defaultdict(list)
    for model, kind in KINDS.items():
        rows = session.execute(
            # Only rows in work can be held, and their status is indexed: a long history costs nothing here.
            select(model.id, model.worker_id).where(
                model.status.in_((model.running, "cancelling")),
                model.lease_token.is_not(None),
                model.worker_id.in_(worker_ids),
            )
        )
        for row in rows:
            held[row.worker_id].append(Work(kind, row.id))
    return dict(held)
