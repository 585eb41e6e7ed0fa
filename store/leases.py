"""Claiming work by lease. A worker holds a row for as long as it renews; whoever lost its lease
must stop at once."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, and_, select, update
from sqlalchemy.orm import Session

from store.models import CheckpointWork, Job, Leased, utc_now


class LeaseLost(Exception):
    """Another worker has, or may have, this work now. Write nothing more and stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one row."""

    model: type[Leased]
    id: str
    token: str

    @property
    def ids(self) -> dict[str, str]:
        """What log lines about this work name, such as `job_id`."""
        return {f"{self.model.noun}_id": self.id}


def claim(session: Session, model: type[Leased], worker_id: str, seconds: float) -> Lease | None:
    """Take the oldest waiting row, by one atomic UPDATE.

    Returns:
        The lease, or None when nothing waits.
    """
    token = secrets.token_hex(16)
    oldest = (
        select(model.id)
        .where(model.status == model.waiting, model.lease_token.is_(None))
        .order_by(model.created_at, model.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # of no effect on SQLite, which has one writer at a time anyway
        .scalar_subquery()
    )
    claimed = session.execute(
        update(model)
        .where(model.id == oldest)
        .values(
            status=model.running,
            attempts=model.attempts + 1,
            worker_id=worker_id,
            lease_token=token,
            lease_expires_at=_after(seconds),
        )
        .returning(model.id)
    ).scalar_one_or_none()
    return None if claimed is None else Lease(model, claimed, token)


def renew(session: Session, lease: Lease, seconds: float) -> None:
    """Hold on to the row.

    Raises:
        LeaseLost: when the row is no longer ours.
    """
    write(session, lease, lease_expires_at=_after(seconds))


def write(session: Session, lease: Lease, **values: Any) -> None:
    """Write columns of the row, if it is still ours.

    Raises:
        LeaseLost: when it is not; the caller's transaction must not commit.
    """
    model = lease.model
    result = session.execute(
        update(model).where(model.id == lease.id, model.lease_token == lease.token).values(**values)
    )
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise LeaseLost(f"{model.__tablename__} {lease.id}")


def held(session: Session, lease: Lease) -> Leased:
    """The row itself, locked for this transaction.

    Raises:
        LeaseLost: when it is not ours.
    """
    model = lease.model
    if issubclass(model, CheckpointWork):
        lock_job_of(session, model, lease.id)
    mine = select(model).where(model.id == lease.id, model.lease_token == lease.token)
    row = session.scalars(mine.with_for_update()).one_or_none()
    if row is None:
        raise LeaseLost(f"{model.__tablename__} {lease.id}")
    return row


def lock_job_of(session: Session, model: type[CheckpointWork], row_id: str) -> None:
    """Lock the job that this row asks about. Do so before the row itself is locked.

    Whoever deletes a job, or writes its checkpoints, locks the job and then these rows; the other
    order would end in a deadlock.
    """
    job_id = select(model.job_id).where(model.id == row_id).scalar_subquery()
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())


def status(session: Session, lease: Lease) -> str:
    """The row's status, read without a lock: it may say `cancelling`.

    Raises:
        LeaseLost: when the row is not ours.
    """
    model = lease.model
    found = session.scalar(select(model.status).where(model.id == lease.id, model.lease_token == lease.token))
    if found is None:
        raise LeaseLost(f"{model.__tablename__} {lease.id}")
    return found


def finish(session: Session, lease: Lease, status: str, **values: Any) -> None:
    """Write the outcome and give the row back.

    Raises:
        LeaseLost: as `write`.
    """
    write(session, lease, status=status, lease_token=None, lease_expires_at=None, **values)


def expired(session: Session, model: type[Leased]) -> list[Leased]:
    """Rows whose worker fell silent, locked for this transaction. What another transaction has
    locked is left out."""
    lost = select(model).where(and_(model.lease_token.is_not(None), model.lease_expires_at < utc_now()))
    if issubclass(model, CheckpointWork):
        lost = lost.join(Job, Job.id == model.job_id)  # locks the job's row too, and waits for neither
    return list(session.scalars(lost.with_for_update(skip_locked=True)))


def has_waiting(session: Session, *models: type[Leased]) -> bool:
    """Whether any of these tables holds a row that nobody works on."""
    return any(
        session.scalar(select(model.id).where(model.status == model.waiting, model.lease_token.is_(None)).limit(1))
        for model in models
    )


def _after(seconds: float) -> dt.datetime:
    return utc_now() + dt.timedelta(seconds=seconds)
