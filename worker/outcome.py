"""How a piece of work ends, in the database. Each takes the row by its lease, so nobody ends
another's work.

All raise `LeaseLost` when the row is not ours any more.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from store import leases
from store.leases import Lease
from store.models import CheckpointWork, Job, Leased, utc_now
from store.repositories import attempts, checkpoint_work, events
from store.statuses import AttemptOutcome, WorkStatus

LAST_FAULT = "It broke off {faults} times without getting any further, and will not be started again by itself."


def interrupted(session: Session, lease: Lease) -> str:
    """Put back work that its worker was told to stop; that start does not count. Cancelled work
    ends here.

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
    """Put back work that its worker could not start. It was not the work's fault, however often it
    happens.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.FAILED, reason)
    if row.status == WorkStatus.CANCELLING:
        return _end(session, row, WorkStatus.CANCELLED)
    return _put_back(session, row)


def faulted(session: Session, lease: Lease, reason: str, max_attempts: int) -> str:
    """Put back work that broke off and may succeed when started again; fail it once `max_attempts`
    starts in a row got no further.

    The number of starts alone is no reason: machines fail often in the weeks of a long run. Without
    any bound, what runs out of memory would be started for ever. A run gets further with each
    checkpoint and each of its evaluations.

    Returns:
        The new status.
    """
    return _broke_off(session, lease, AttemptOutcome.FAILED, reason, max_attempts)


def lost(session: Session, lease: Lease, reason: str, max_attempts: int) -> str:
    """The same for work whose lease has expired.

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
        events.append(session, row.id, "log", {"lines": [f"attempt {row.attempts} broke off: {reason}"]})
    return _put_back(session, row)


def failed(session: Session, lease: Lease, reason: str) -> str:
    """End work that would fail in the same way again.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.FAILED, reason)
    if row.status == WorkStatus.CANCELLING:
        return _end(session, row, WorkStatus.CANCELLED)
    return _end(session, row, row.failed, reason)


def succeeded(session: Session, lease: Lease) -> str:
    """End a job, or work on a checkpoint, whose results are all recorded.

    Returns:
        The new status.
    """
    row = leases.held(session, lease)
    _close(session, row, AttemptOutcome.SUCCEEDED)
    return _end(session, row, WorkStatus.SUCCEEDED)


def _close(session: Session, row: Leased, how: AttemptOutcome, reason: str | None = None) -> None:
    """Note how this attempt ended, which may differ from how the job goes on."""
    if isinstance(row, Job):
        attempts.end(session, row, how, reason)


def _put_back(session: Session, row: Leased) -> str:
    row.status = row.waiting
    _release(row)
    if isinstance(row, Job):
        row.queued_at = utc_now()
        _tell(session, row)
    return row.status


def _end(session: Session, row: Leased, status: str, reason: str | None = None) -> str:
    row.ended(status, reason, utc_now())
    _release(row)
    if isinstance(row, Job):
        _tell(session, row)
    elif isinstance(row, CheckpointWork) and row.status != WorkStatus.FAILED:
        checkpoint_work.tell(session, row)
    return row.status


def _release(row: Leased) -> None:
    row.lease_token = None
    row.lease_expires_at = None


def _tell(session: Session, row: Job) -> None:
    session.flush()  # the row first: its lock keeps the events' ids in the order in which they become visible
    data = {"status": row.status} if row.error is None else {"status": row.status, "error": row.error}
    events.append(session, row.id, "status", data)
