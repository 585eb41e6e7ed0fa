"""A transaction that has to wait for another one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine, text

from tests.support.processes import wait_until

R = TypeVar("R")


def start_behind(pool: ThreadPoolExecutor, engine: Engine, second: Callable[[], R]) -> Future[R]:
    """Begin `second` while the caller's own transaction holds locks; returns once it waits for
    them, or is done.

    On SQLite, which has one writer at a time, it waits from its beginning, seen or not.
    """
    future = pool.submit(second)
    if engine.dialect.name == "postgresql":
        wait_until(lambda: future.done() or _somebody_waits(engine), 30, "the second one waits for the first")
    return future


def _somebody_waits(engine: Engine) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.scalar(text(waiting)))
