"""Which worker sends to a receiver: one at a time, by a lease on the receiver.

A worker stores what it has sent in a transaction that holds the lease. So one that was
paused beyond its lease stores nothing.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CursorResult, delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.models import SendingLease, utc_now

LEASE_SECONDS = 30.0


class SendingLost(Exception):
    """Another worker may send to this receiver now."""


def take(session: Session, receiver: str, token: str) -> bool:
    """Take or extend the lease.

    Args:
        receiver: to whom to send, such as `mlflow`.
        token: of the worker that asks.

    Returns:
        False while another worker has it.
    """
    now = utc_now()
    expires_at = now + dt.timedelta(seconds=LEASE_SECONDS)
    free = or_(SendingLease.token == token, SendingLease.expires_at < now)
    taken = update(SendingLease).where(SendingLease.receiver == receiver, free)
    result = session.execute(taken.values(token=token, expires_at=expires_at))
    if isinstance(result, CursorResult) and result.rowcount == 1:
        return True
    if session.get(SendingLease, receiver) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(SendingLease(receiver=receiver, token=token, expires_at=expires_at))
    except IntegrityError:  # another worker was quicker
        return False
    return True


def hold(session: Session, receiver: str, token: str) -> None:
    """Extend the lease, and lock it for this transaction.

    Raises:
        SendingLost: another worker has it. The caller's transaction must not commit.
    """
    if not take(session, receiver, token):
        raise SendingLost(receiver)


def release(session: Session, receiver: str, token: str) -> None:
    """Let another worker take the lease at once."""
    session.execute(delete(SendingLease).where(SendingLease.receiver == receiver, SendingLease.token == token))
