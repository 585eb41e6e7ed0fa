"""Writing through short outages of the database: a restart of Postgres must not end a training."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from store.database import writing

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
LONGEST_PAUSE = 5.0
SQLITE_OUTAGES = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_CANTOPEN")

log = logging.getLogger(__name__)


def persist(action: Callable[[Session], T], patience: float = PATIENCE_SECONDS) -> T:
    """Run `action` in a transaction of its own; anew when the database was away, for up to `patience` seconds.

    An action must therefore do nothing but write through its session.

    Raises:
        sqlalchemy.exc.DBAPIError: when the database stays away, or refuses for another reason than its absence.
        LeaseLost: from the action, at once.
    """
    deadline, pause = time.monotonic() + patience, 0.1
    while True:
        try:
            with writing() as session:
                return action(session)
        except DBAPIError as error:
            if not is_outage(error) or time.monotonic() + pause > deadline:
                raise
            log.warning("the database does not answer, trying again in %.1f s", pause)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def is_outage(error: DBAPIError) -> bool:
    """Whether the database was away or busy, rather than unwilling."""
    if isinstance(error.orig, sqlite3.OperationalError):  # SQLite calls a missing column so too
        return error.orig.sqlite_errorname.startswith(SQLITE_OUTAGES)
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
