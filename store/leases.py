"""Claiming work by lease.

A worker holds a row while it renews the lease. A worker that has lost its lease must stop at once.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, ScalarSelect, and_, func, literal, or_, select, true, update
from sqlalchemy.orm import Session

from store.beginnings import need_not_wait
from store.devices import Devices
from store.models import CheckpointWork, Job, Leased, utc_now

_CLAIMS = 0x636F6C74  # of Postgres' advisory locks with one key, that of claims
_HOSTS = func.coalesce(Job.config["num_hosts"].as_integer(), 1)


class LeaseLost(Exception):
    """Another worker may have this work now. Write nothing more and stop."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one row, until it expires."""

    model: type[Leased]
    id: str
    token: str

    @property
    def ids(self) -> dict[str, str]:
        """Ids for log lines about this work, such as `job_id`."""
        return {f"{self.model.noun}_id": self.id}


def claim(
    session: Session,
    model: type[Leased],
    worker_id: str,
    seconds: float,
    devices: Devices | None = None,
    *,
    small_only: bool = False,
    threads: int | None = None,
) -> Lease | None:
    """Take the waiting row whose turn it is, in one atomic UPDATE.

    Args:
        small_only: leave rows of large work.
        devices: the worker's. Rows that need others are left to other workers. None: take any.
        threads: leave jobs that began on another number of threads, or need several processes.
            None: take any.

    Returns:
        The lease, or None when no such row is waiting.
    """
    ready: ColumnElement[bool] = true()
    if model is Job:
        claim_alone(session)
        ready = and_(need_not_wait(), _HOSTS == 1, true() if threads is None else _runs_on_threads(threads))
    sizes = model.is_large.is_(False) if small_only else true()
    first = (
        select(model.id)
        .where(model.status == model.waiting, model.lease_token.is_(None), _runs_on(model, devices), sizes, ready)
        .order_by(model.turn, model.created_at, model.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # ignored by SQLite, which has one writer at a time
        .scalar_subquery()
    )
    return _take(session, model, first, worker_id, seconds)


def claim_for_hosts(session: Session, job_id: str, worker_id: str, seconds: float) -> Lease | None:
    """Take a waiting job whose seats are all held. Call `claim_alone` before.

    Returns:
        The lease, or None when the job waits no more, or must wait for another job's beginning.
    """
    ready = and_(Job.id == job_id, Job.status == Job.waiting, Job.lease_token.is_(None), need_not_wait())
    return _take(session, Job, select(Job.id).where(ready).with_for_update().scalar_subquery(), worker_id, seconds)


def first_over_hosts(session: Session, devices: Devices, without: Collection[str]) -> Job | None:
    """The waiting job whose turn it is, if it needs several machines like this one.

    Args:
        devices: the worker's.
        without: ids of jobs that are left out.
    """
    first = session.scalar(
        select(Job)
        .where(Job.status == Job.waiting, Job.lease_token.is_(None), _runs_on(Job, devices), need_not_wait())
        .where(Job.id.not_in(without))
        .order_by(Job.turn, Job.created_at, Job.id)
        .limit(1)
    )
    return first if first is not None and first.config.get("num_hosts", 1) > 1 else None


def waits_for_hosts(session: Session) -> bool:
    """Whether any waiting job needs several machines."""
    rows = select(Job.id).where(Job.status == Job.waiting, Job.lease_token.is_(None), _HOSTS > 1)
    return session.scalar(rows.limit(1)) is not None


def _take(
    session: Session, model: type[Leased], row_id: ScalarSelect[str], worker_id: str, seconds: float
) -> Lease | None:
    token = secrets.token_hex(16)
    claimed = session.execute(
        update(model)
        .where(model.id == row_id)
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


def claim_alone(session: Session) -> None:
    """Let no other transaction claim a job until the end of this one.

    Two claims at once would not see each other, and take two jobs that share a beginning. On SQLite
    a transaction that writes is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_CLAIMS)))


def renew(session: Session, lease: Lease, seconds: float) -> None:
    """Extend the lease.

    Raises:
        LeaseLost: when the lease is no longer valid.
    """
    write(session, lease, lease_expires_at=_after(seconds))


def write(session: Session, lease: Lease, **values: Any) -> None:
    """Write columns of the row.

    Raises:
        LeaseLost: when the lease is no longer valid. The caller's transaction must not commit.
    """
    model = lease.model
    result = session.execute(
        update(model).where(model.id == lease.id, model.lease_token == lease.token).values(**values)
    )
    if not isinstance(result, CursorResult) or result.rowcount != 1:
        raise LeaseLost(f"{model.__tablename__} {lease.id}")


def held(session: Session, lease: Lease) -> Leased:
    """The row, locked for this transaction.

    Raises:
        LeaseLost: when the lease is no longer valid.
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
    """Lock the job of an evaluation or analysis, if it has one. Call it before locking the row.

    Code that deletes a job, or writes its checkpoints, locks the job first and these rows second.
    The opposite order would cause deadlocks.
    """
    job_id = select(model.job_id).where(model.id == row_id).scalar_subquery()
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())


def status(session: Session, lease: Lease) -> str:
    """The row's status, read without a lock. It may be `cancelling`.

    Raises:
        LeaseLost: when the lease is no longer valid.
    """
    model = lease.model
    found = session.scalar(select(model.status).where(model.id == lease.id, model.lease_token == lease.token))
    if found is None:
        raise LeaseLost(f"{model.__tablename__} {lease.id}")
    return found


def finish(session: Session, lease: Lease, status: str, **values: Any) -> None:
    """Write the outcome and release the lease.

    Raises:
        LeaseLost: as `write`.
    """
    write(session, lease, status=status, lease_token=None, lease_expires_at=None, **values)


def expired(session: Session, model: type[Leased]) -> list[Leased]:
    """Rows whose lease has expired, locked for this transaction.

    Rows that another transaction has locked are left out.
    """
    lost = select(model).where(and_(model.lease_token.is_not(None), model.lease_expires_at < utc_now()))
    each = [lost]
    if issubclass(model, CheckpointWork):
        # The first locks the job's row too, without waiting.
        each = [lost.join(Job, Job.id == model.job_id), lost.where(model.job_id.is_(None))]
    return [row for part in each for row in session.scalars(part.with_for_update(skip_locked=True))]


def has_waiting(session: Session, *models: type[Leased], at_least: int = 1) -> bool:
    """Whether any of these tables has so many waiting rows."""
    waiting = (
        select(model.id).where(model.status == model.waiting, model.lease_token.is_(None)).limit(at_least)
        for model in models
    )
    return any(len(session.scalars(rows).all()) == at_least for rows in waiting)


def _runs_on(model: type[Leased], devices: Devices | None) -> ColumnElement[bool]:
    """SQL condition: these devices can do the work, as `Devices.can_run` says, and hold the job."""
    if devices is None or not issubclass(model, Job | CheckpointWork):
        return true()
    device = func.coalesce(Job.config["device"].as_string(), "auto")
    # Work on a checkpoint computes in one process, on the device of its run.
    on_each = func.coalesce(Job.config["num_processes"].as_integer(), 1) // _HOSTS
    processes = on_each if model is Job else literal(1)
    can_run = or_(device == "cpu", processes <= len(devices.cuda) if devices.cuda else device == "auto")
    if issubclass(model, CheckpointWork):  # that of a backbone runs anywhere
        of_job = select(can_run).where(Job.id == model.job_id).correlate(model).scalar_subquery()
        return or_(model.job_id.is_(None), of_job)
    return and_(can_run, _holds(devices))


def _runs_on_threads(threads: int) -> ColumnElement[bool]:
    """SQL condition: the job is one process, and began on so many threads if it has begun."""
    began_on = Job.compute["threads"].as_integer()
    is_single = func.coalesce(Job.config["num_processes"].as_integer(), 1) == 1
    return and_(is_single, or_(began_on.is_(None), began_on == threads))


def _holds(devices: Devices) -> ColumnElement[bool]:
    """SQL condition: by its estimate, these devices hold the job.

    It is true for a job without an estimate, and where a memory is not known.
    """
    device = Job.estimate["device"].as_string()
    memory: ColumnElement[bool] = true()
    if devices.memory_bytes is not None:
        memory = Job.estimate["memory_bytes"].as_float() <= devices.memory_bytes
    on_gpu: ColumnElement[bool] = true()
    if devices.cuda_bytes:
        on_gpu = Job.estimate[("memory", "peak")].as_float() <= min(devices.cuda_bytes)
    has_cores = Job.estimate["processes"].as_integer() <= devices.cpu_cores
    return or_(device.is_(None), and_(device == "cpu", memory, has_cores), and_(device == "cuda", on_gpu))


def _after(seconds: float) -> dt.datetime:
    return utc_now() + dt.timedelta(seconds=seconds)
