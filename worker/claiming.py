"""Claiming the next piece of work."""

from __future__ import annotations

from store import leases
from store.database import writing
from store.devices import Devices
from store.leases import Lease
from store.models import Job, Leased, utc_now
from store.repositories import attempts, events
from store.settings import get_settings
from worker.devices import own_devices


def take(
    model: type[Leased],
    worker_id: str,
    *,
    small_only: bool = False,
    devices: Devices | None = None,
    threads: int | None = None,
) -> Lease | None:
    """Claim the waiting row whose turn it is, of those that this machine can work on. For a job,
    also record the new attempt.

    Args:
        small_only: leave large work.
        devices: what it may use. Default: all that this machine has.
        threads: leave jobs that cannot run on so many (`leases.claim`). None: take any.

    Returns:
        The lease, or None when no such row is waiting.
    """
    with writing() as session:
        lease = leases.claim(
            session,
            model,
            worker_id,
            get_settings().lease_seconds,
            devices or own_devices(),
            small_only=small_only,
            threads=threads,
        )
        if lease is not None and model is Job:
            job = session.get_one(Job, lease.id)
            job.started_at = job.started_at or utc_now()
            job.finished_at = None
            job.error = None
            session.flush()
            attempts.begin(session, job.id, worker_id)
            events.append(session, job.id, "status", {"status": job.status, "attempt": job.attempts})
    return lease
