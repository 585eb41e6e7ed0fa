"""Workers, their heartbeats, and what they work on."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.devices import Devices
from store.models import KnownDevices, Worker, leased_models, utc_now
from store.repositories.pages import Slice, keyset_page

_MOST_KNOWN = 1000  # machines; newer ones count


@dataclass(frozen=True, slots=True)
class Work:
    """A row that a worker holds by lease."""

    kind: str
    id: str


def beat(session: Session, worker_id: str, forget_after: dt.timedelta, devices: Devices) -> None:
    """Update the worker's heartbeat and devices, and forget workers that have been silent for
    longer."""
    now = utc_now()
    session.merge(Worker(id=worker_id, heartbeat_at=now, devices=devices.column()))
    _remember(session, devices)
    session.execute(delete(Worker).where(Worker.heartbeat_at < now - forget_after))


def _remember(session: Session, devices: Devices) -> None:
    told = json.dumps(devices.column(), sort_keys=True)
    sha256 = hashlib.sha256(told.encode()).hexdigest()
    if session.get(KnownDevices, sha256) is None:
        with suppress(IntegrityError), session.begin_nested():  # a worker alike may report at this moment
            session.add(KnownDevices(sha256=sha256, devices=devices.column()))


def known_devices(session: Session) -> list[Devices]:
    """All devices that some worker has ever reported."""
    found = session.scalars(select(KnownDevices.devices).order_by(KnownDevices.seen_at.desc()).limit(_MOST_KNOWN))
    return [Devices.of(column) for column in found]


def forget(session: Session, worker_id: str) -> None:
    """Delete the row of a worker that has ended."""
    session.execute(delete(Worker).where(Worker.id == worker_id))


def last_beat(session: Session, host: str) -> dt.datetime | None:
    """The latest heartbeat of the workers on one machine; None if there are none."""
    mine = Worker.id.startswith(f"{host}-", autoescape=True)
    return session.scalar(select(func.max(Worker.heartbeat_at)).where(mine))


def count_live(session: Session, silence: float) -> int:
    """How many workers have sent a heartbeat within the last `silence` seconds."""
    return session.scalar(select(func.count()).select_from(Worker).where(_is_live(silence))) or 0


def live_devices(session: Session, silence: float) -> dict[str, Devices | None]:
    """The devices of each worker that `count_live` counts. None: not reported."""
    rows = session.execute(select(Worker.id, Worker.devices).where(_is_live(silence)).order_by(Worker.id))
    return {row.id: None if row.devices is None else Devices.of(row.devices) for row in rows}


def _is_live(silence: float) -> ColumnElement[bool]:
    return Worker.heartbeat_at >= utc_now() - dt.timedelta(seconds=silence)


def page(session: Session, limit: int, cursor: str | None) -> Slice[Worker]:
    """A page of workers, the latest start first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return keyset_page(session, select(Worker), Worker, "-started_at", limit, cursor)


def work_held(session: Session) -> dict[str, list[Work]]:
    """The rows that each worker holds now, by its id."""
    held: defaultdict[str, list[Work]] = defaultdict(list)
    for model in leased_models():
        rows = session.execute(
            # Only rows in work can be held. Their status is indexed, so a long history does not
            # slow this query.
            select(model.id, model.worker_id).where(
                model.status.in_(model.in_work),
                model.lease_token.is_not(None),
            )
        )
        for row in rows:
            held[row.worker_id].append(Work(model.noun, row.id))
    return dict(held)
