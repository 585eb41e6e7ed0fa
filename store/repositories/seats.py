"""Seats of jobs over several machines: all of a job's are held, or none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store import leases
from store.devices import Devices
from store.leases import Lease
from store.models import Job, Seat, utc_now
from store.repositories import attempts, events
from store.repositories.pages import Slice, keyset_page

ASSEMBLY_SECONDS = 60.0  # after which the seats of a job that has not all of them are given back


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker gives to a job.

    Attributes:
        address: where other machines reach it.
        facts: what must be the same on all machines of the job, by name.
    """

    worker_id: str
    address: str
    facts: Mapping[str, Any]


def offer(
    session: Session, offered: Offer, devices: Devices, seconds: float, without: Collection[str] = ()
) -> Seat | None:
    """Offer a seat to the job whose turn it is, if it needs several machines.

    Jobs assemble one after another. Otherwise two of them could each hold what the other waits for.

    Args:
        devices: of the worker.
        seconds: how long the offer lasts unless it is renewed.
        without: ids of jobs that are left out.

    Returns:
        The seat; None if there is no such job, or another one assembles.
    """
    leases.claim_alone(session)
    _drop_expired(session)
    job = leases.first_over_hosts(session, devices, without)
    if job is None:
        return None
    offers = _offers(session)
    gpus = gpus_of(job.config, devices)
    if any(seat.job_id != job.id or seat.worker_id == offered.worker_id or seat.gpus != gpus for seat in offers):
        return None
    if len(offers) >= job.config["num_hosts"]:
        return None
    seat = Seat(
        job_id=job.id,
        worker_id=offered.worker_id,
        address=offered.address,
        gpus=gpus,
        facts=dict(offered.facts),
        lease_expires_at=_after(seconds),
    )
    session.add(seat)
    session.flush()
    return seat


def gpus_of(config: Mapping[str, Any], devices: Devices) -> int:
    """The GPUs that a job's processes use on a machine; 0 if they compute on the CPU."""
    if config.get("device", "auto") == "cpu" or not devices.cuda:
        return 0
    return int(config.get("num_processes", 1)) // int(config.get("num_hosts", 1))


def begin(session: Session, seat_id: str, lease_seconds: float) -> tuple[Lease, list[Seat]] | None:
    """Claim the job for the first of its offered seats, once it has all of them.

    The seats get their node ranks, in the order of the offers.

    Returns:
        The job's lease and its seats; None while seats are missing, for the other seats, and if the
        job waits no more.
    """
    leases.claim_alone(session)
    _drop_expired(session)
    offers = _offers(session)
    if not offers or offers[0].id != seat_id:
        return None
    job = session.get_one(Job, offers[0].job_id)
    if len(offers) < job.config["num_hosts"]:
        return None
    worker_id = offers[0].worker_id
    lease = leases.claim_for_hosts(session, job.id, worker_id, lease_seconds)
    if lease is None:
        return None
    session.refresh(job)
    job.started_at = job.started_at or utc_now()
    job.finished_at = None
    job.error = None
    session.flush()
    earlier = update(Seat).where(Seat.job_id == job.id, Seat.attempt.is_not(None))
    session.execute(earlier.values(lease_expires_at=None))  # that of a killed worker is never given back
    number = attempts.begin(session, job.id, worker_id)
    for rank, seat in enumerate(offers):
        seat.attempt, seat.node_rank = number, rank
    events.append(session, job.id, "status", {"status": job.status, "attempt": job.attempts})
    where = ", ".join(f"{seat.worker_id} at {seat.address}" for seat in offers)
    events.append(session, job.id, "log", {"lines": [f"{len(offers)} machines: {where}"]})
    session.flush()
    return lease, offers


def renew(session: Session, seat_id: str, seconds: float) -> bool:
    """Extend a seat's lease. Answers whether the seat is still held."""
    held = update(Seat).where(Seat.id == seat_id, Seat.lease_expires_at.is_not(None))
    return session.execute(held.values(lease_expires_at=_after(seconds)).returning(Seat.id)).first() is not None


def of_attempt(session: Session, job_id: str, attempt: int) -> Sequence[Seat]:
    """The seats of an attempt, by node rank."""
    mine = select(Seat).where(Seat.job_id == job_id, Seat.attempt == attempt)
    return session.scalars(mine.order_by(Seat.node_rank)).all()


def listen_on(session: Session, seat_id: str, port: int) -> None:
    """Note the port on which a leader listens."""
    session.execute(update(Seat).where(Seat.id == seat_id).values(port=port))


def leaves(session: Session, seat_id: str) -> None:
    """Note that the seat's worker was asked to stop."""
    session.execute(update(Seat).where(Seat.id == seat_id).values(leaving=True))


def give_back(session: Session, seat_id: str) -> None:
    """End a seat. One that was only offered leaves no row."""
    session.execute(delete(Seat).where(Seat.id == seat_id, Seat.attempt.is_(None)))
    session.execute(update(Seat).where(Seat.id == seat_id).values(lease_expires_at=None))


def give_up(session: Session, job_id: str) -> None:
    """Delete all seats that are offered to a job, if the first has waited too long."""
    leases.claim_alone(session)
    offers = _offers(session)
    if offers and offers[0].job_id == job_id and offers[0].created_at < _after(-ASSEMBLY_SECONDS):
        session.execute(delete(Seat).where(Seat.job_id == job_id, Seat.attempt.is_(None)))


def page(session: Session, job_id: str, limit: int, cursor: str | None) -> Slice[Seat]:
    """A page of a job's seats, of all attempts, the latest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return keyset_page(session, select(Seat).where(Seat.job_id == job_id), Seat, "-created_at", limit, cursor)


def _offers(session: Session) -> list[Seat]:
    """Those that are offered, the earliest first."""
    return list(session.scalars(select(Seat).where(Seat.attempt.is_(None)).order_by(Seat.created_at, Seat.id)))


def _drop_expired(session: Session) -> None:
    session.execute(delete(Seat).where(Seat.attempt.is_(None), Seat.lease_expires_at < utc_now()))


def _after(seconds: float) -> dt.datetime:
    return utc_now() + dt.timedelta(seconds=seconds)
