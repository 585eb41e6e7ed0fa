"""Waiting out short outages.

A training must not end because Postgres restarts or a disk is full for a while.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from store.database import writing
from store.settings import get_settings

T = TypeVar("T")
LONGEST_PAUSE = 5.0
SQLITE_OUTAGES = (
    *("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN"),
    *("SQLITE_FULL", "SQLITE_READONLY"),
)

log = logging.getLogger(__name__)


def retry_transaction(action: Callable[[Session], T], patience: float | None = None) -> T:
    """Run `action` in its own transaction, and again while the database does not answer.

    Since it may run several times, an action must only write through its session.

    Args:
        action: called with a writing session.
        patience: seconds to keep trying; None for `COLT_PATIENCE_SECONDS`.

    Raises:
        sqlalchemy.exc.DBAPIError: when the database still does not answer, or reports another
            error.
        LeaseLost: from the action, at once.
    """

    def once() -> T:
        with writing() as session:
            return action(session)

    def database_is_away(error: Exception) -> str | None:
        return "the database does not answer" if isinstance(error, DBAPIError) and is_outage(error) else None

    return retry_during_outage(once, database_is_away, patience)


def retry_during_outage(
    action: Callable[[], T],
    outage: Callable[[Exception], str | None],
    patience: float | None = None,
    *,
    give_up: Callable[[], bool] = lambda: False,
    on_wait: Callable[[str], None] = lambda _: None,
) -> T:
    """Run `action`, and again after each outage.

    Args:
        action: what to run.
        outage: describes what is unavailable; None for an error that waiting does not fix.
        patience: seconds to keep trying; None for `COLT_PATIENCE_SECONDS`.
        give_up: called after every failure; True ends the attempts.
        on_wait: called before the first pause, with the description from `outage`.

    Raises:
        Exception: the last error of the action.
    """
    patience = get_settings().patience_seconds if patience is None else patience
    deadline, pause, told = time.monotonic() + patience, 0.1, False
    while True:
        try:
            return action()
        except Exception as error:
            away = outage(error)
            if away is None or give_up() or time.monotonic() + pause > deadline:
                raise
        log.warning("%s, trying again in %.1f s", away, pause)
        if not told:
            on_wait(away)
            told = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def is_outage(error: DBAPIError) -> bool:
    """Whether the database was unavailable, busy or full. Other errors are no outage."""
    if isinstance(error.orig, sqlite3.OperationalError):  # SQLite raises it for a missing column too
        return error.orig.sqlite_errorname.startswith(SQLITE_OUTAGES)
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
