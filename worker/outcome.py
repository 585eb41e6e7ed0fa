"""Writing the outcome of a piece of work.

Each function checks the lease, so no process ends another's work. All raise `LeaseLost` when the
lease is no longer valid.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from store import leases
from store.leases import Lease
from store.models import CheckpointWork, Job, Leased, Score, utc_now
from store.repositories import attempts, checkpoint_work, deliveries, events, scores
from store.statuses import AttemptOutcome, WorkStatus

LAST_FAULT = "It failed {faults} times in a row without progress, and will not be started again automatically."


def interrupted(session: Session, lease: Lease) -> str:
    """Requeue work whose worker was stopped, without counting the attempt. Cancelled work ends.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    if row.status == WorkStatus.CANCELLING:
        _close(session, row, AttemptOutcome.CANCELLED)
        return _end(session, row, WorkStatus.CANCELLED)
    _close(session, row, AttemptOutcome.SHUT_DOWN, "Its worker was stopped")
    row.attempts -= 1
    return _put_back(session, row)


def not_begun(session: Session, lease: Lease, reason: str) -> str:
    """Requeue work that its worker could not start. The attempt does not count as a fault.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.FAILED, reason)
    if row.status == WorkStatus.CANCELLING:
        return _end(session, row, WorkStatus.CANCELLED)
    return _put_back(session, row)


def faulted(session: Session, lease: Lease, reason: str, max_attempts: int) -> str:
    """Requeue work that failed and may succeed in another attempt.

    After `max_attempts` attempts in a row without progress, the work fails. Each checkpoint and
    each evaluation counts as progress. The total number of attempts is not limited, since machines
    fail often during a run of weeks. Without any limit, work that runs out of memory would be
    started forever.

    Returns:
        The new status.
    """
    return _broke_off(session, lease, AttemptOutcome.FAILED, reason, max_attempts)


def lost(session: Session, lease: Lease, reason: str, max_attempts: int) -> str:
    """The same as `faulted`, for work whose lease has expired.

    Returns:
        The new status.
    """
    return _broke_off(session, lease, AttemptOutcome.WORKER_LOST, reason, max_attempts)


def _broke_off(session: Session, lease: Lease, how: AttemptOutcome, reason: str, max_attempts: int) -> str:
    row = leases.held(session, lease)
    _close(session, row, how, reason)
    if row.status == WorkStatus.CANCELLING:
        return _end(session, row, WorkStatus.CANCELLED)
    row.faults += 1
    if row.faults >= max_attempts:
        return _end(session, row, row.failed, f"{reason}. {LAST_FAULT.format(faults=row.faults)}")
    if isinstance(row, Job):
        events.append(session, row.id, "log", {"lines": [f"attempt {row.attempts} failed: {reason}"]})
    return _put_back(session, row)


def failed(session: Session, lease: Lease, reason: str) -> str:
    """End work that would fail again in the same way.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.FAILED, reason)
    if row.status == WorkStatus.CANCELLING:
        return _end(session, row, WorkStatus.CANCELLED)
    return _end(session, row, row.failed, reason)


def succeeded(session: Session, lease: Lease) -> str:
    """End a job, an evaluation or an analysis whose results are all recorded.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.SUCCEEDED)
    return _end(session, row, WorkStatus.SUCCEEDED)


def _close(session: Session, row: Leased, how: AttemptOutcome, reason: str | None = None) -> None:
    """Record how this attempt ended. The job itself may continue in another one."""
    if isinstance(row, Job):
        attempts.end(session, row, how, reason)


def _put_back(session: Session, row: Leased) -> str:
    row.status = row.waiting
    row.turn = row.turn_from  # it has had its turn, and continues before new work
    _release(row)
    if isinstance(row, Job):
        row.queued_at = utc_now()
        _tell(session, row)
    return row.status


def _end(session: Session, row: Leased, status: str, reason: str | None = None) -> str:
    row.ended(status, reason, utc_now())
    _release(row)
    if isinstance(row, Score):
        scores.let_go(session, row)
    if isinstance(row, Job):
        _tell(session, row)
        deliveries.add_ended(session, [row.id])
    elif isinstance(row, CheckpointWork) and row.status != WorkStatus.FAILED:
        checkpoint_work.tell(session, row)
    return row.status


def _release(row: Leased) -> None:
    row.lease_token = None
    row.lease_expires_at = None


def _tell(session: Session, row: Job) -> None:
    session.flush()  # the row first: its lock makes events visible in the order of their ids
    data = {"status": row.status} if row.error is None else {"status": row.status, "error": row.error}
    events.append(session, row.id, "status", data)
