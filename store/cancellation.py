"""Ends the database work of a read that nobody waits for any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_STEPS = 20_000  # of SQLite's virtual machine between two looks: less than a millisecond
_SECONDS = 5.0  # for Postgres to take a request to cancel
_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class Cancelled(Exception):
    """Somebody asked to end this read."""


class Cancellation:
    """Asks the reads in one context to end, from any thread.

    A query that runs is broken off by the database. No other is begun.
    """

    def __init__(self) -> None:
        self.asked = False
        self._lock = threading.Lock()
        self._running: set[Any] = set()  # Postgres connections

    def ask(self) -> None:
        """Ask. This may block until Postgres has taken the request."""
        with self._lock:
            self.asked = True
            for connection in self._running:
                with suppress(Exception):  # it is gone already
                    connection.cancel_safe(timeout=_SECONDS)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Reads that begin in this context, and in threads that copy it, end when asked."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def _over(self, session: Session) -> Iterator[None]:
        driver: Any = session.connection().connection.driver_connection
        if session.get_bind().dialect.name == "sqlite":
            driver.set_progress_handler(lambda: self.asked, _STEPS)
            try:
                yield
            finally:
                driver.set_progress_handler(None, 0)
            return
        with self._lock:
            self._running.add(driver)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(driver)
            if self.asked:  # the request could still be on its way, and end the next query of the connection
                session.invalidate()


@contextmanager
def cancellable(session: Session) -> Iterator[None]:
    """Let the cancellation of this context, if there is one, end what the session reads."""
    cancellation = _current.get()
    if cancellation is None:
        yield
    else:
        with cancellation._over(session):
            yield


def was_asked() -> bool:
    """Whether the reads of this context were asked to end."""
    cancellation = _current.get()
    return cancellation is not None and cancellation.asked


@event.listens_for(Engine, "before_cursor_execute")
def _begin_nothing_more(*_: Any) -> None:
    if was_asked():
        raise Cancelled
