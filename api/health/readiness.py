"""What the service needs before it can work, and whether it is there.

Each check has a thread of its own, so that one that hangs blocks neither the others nor the API.
The checks write to the artifact store and open connections. So the answer is kept for a moment, and
a client that asks all the time costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from api.health.shared import Shared
from store import migrate
from store.artifacts import get_artifacts
from store.broker import get_celery
from store.database import get_engine, reading
from store.repositories import workers
from store.settings import get_settings

log = logging.getLogger(__name__)

CHECK_SECONDS = 4.0
KEEP_SECONDS = 2.0


class Lacking(Exception):
    """What is missing, in words that clients may see."""


@dataclass(frozen=True, slots=True)
class Lack:
    """A missing part: its name, and why in words that clients may see."""

    name: str
    why: str


class Readiness:
    """The last answer, and the checks that still run."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(len(CHECKS), thread_name_prefix="health")
        self._running: dict[str, Future[None]] = {}
        self._asking = Shared(self._ask, "readiness")
        self._kept: list[Lack] = []
        self._keep_until = 0.0

    async def lacks(self) -> list[Lack]:
        """What is missing now, or was at most `KEEP_SECONDS` ago."""
        if time.monotonic() < self._keep_until:
            return self._kept
        return await self._asking.result()

    def close(self) -> None:
        """End the threads. One that hangs is left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ask(self) -> list[Lack]:
        running = {name: self._run(name, check) for name, check in CHECKS.items()}
        waiting = [asyncio.wrap_future(future) for future in running.values()]
        await asyncio.wait(waiting, timeout=CHECK_SECONDS)
        self._kept = [lack for name, future in running.items() if (lack := _lack(name, future)) is not None]
        self._keep_until = time.monotonic() + KEEP_SECONDS
        return self._kept

    def _run(self, name: str, check: Callable[[], None]) -> Future[None]:
        """Start a check. One that still hangs is not started again, as it would take another
        thread."""
        future = self._running.get(name)
        if future is None or future.done():
            future = self._running[name] = self._pool.submit(check)
        return future


def _lack(name: str, future: Future[None]) -> Lack | None:
    if not future.done():
        cause = why = f"did not answer within {CHECK_SECONDS:g} s"
    elif (error := future.exception()) is None:
        return None
    elif isinstance(error, Lacking | migrate.DatabaseIsNewer):
        cause = why = str(error)
    else:  # its text may hold an address or a path, so only the log gets it
        cause, why = str(error), "cannot be used; the log has the cause"
    log.warning("not ready: %s: %s", name, cause)
    return Lack(name, why)


def _check_database() -> None:
    migrate.check_not_newer(get_engine())
    if (found := migrate.current(get_engine())) != (needed := migrate.head()):
        raise Lacking(f"its schema is at revision {found}, but this version needs {needed}: run `colt migrate`")


def _check_broker() -> None:
    with get_celery().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CHECK_SECONDS)


def _check_worker() -> None:
    with reading() as session:
        if not workers.count_live(session, get_settings().worker_silence_seconds):
            raise Lacking("none has sent a heartbeat recently")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _check_database,
    "broker": _check_broker,
    "artifacts": lambda: get_artifacts().check(),
    "worker": _check_worker,
}
