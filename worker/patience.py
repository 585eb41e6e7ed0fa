"""Waiting out short outages: a restart of Postgres, or a disk that is full for a while, must not
end a training."""

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
    """Run `action` in a transaction of its own; anew when the database was away, for up to
    `patience` seconds.

    An action must therefore do nothing but write through its session.

    Raises:
        sqlalchemy.exc.DBAPIError: when the database stays away, or refuses for another reason than
            its absence.
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
    """Run `action`; anew after an outage, for up to `patience` seconds (default:
    `COLT_PATIENCE_SECONDS`).

    Args:
        outage: what is away, in words; None for an error that time does not mend.
        give_up: asked after every failure.
        on_wait: told what is away, before the first pause.

    Raises:
        Exception: the action's last.
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
    """Whether the database was away, busy or full, rather than unwilling."""
    if isinstance(error.orig, sqlite3.OperationalError):  # SQLite calls a missing column so too
        return error.orig.sqlite_errorname.startswith(SQLITE_OUTAGES)
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
