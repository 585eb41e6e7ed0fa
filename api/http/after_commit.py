"""What runs after the response, once the transaction has committed.

If it is lost, that costs only time or disk space.
"""

from __future__ import annotations

import logging
import sqlite3

import anyio
import anyio.to_thread
from fastapi import BackgroundTasks

from store.artifacts import get_artifacts
from store.bells import Bell
from store.broker import ring
from store.space import give_back

log = logging.getLogger(__name__)
# A broker or a store that hangs may take these threads, but not those of the dashboard's files.
_threads = anyio.CapacityLimiter(8)


def ring_later(background: BackgroundTasks, bell: Bell) -> None:
    """Wake a worker. When the broker is down, a reconciler finds the work."""
    background.add_task(ring_now, bell)


async def ring_now(bell: Bell) -> None:
    """Wake a worker before the response, for a client that waits for the work."""
    try:
        await anyio.to_thread.run_sync(ring, bell, limiter=_threads)
    except Exception:
        log.warning("the broker does not answer; workers find the work at their next check", exc_info=True)


def delete_later(background: BackgroundTasks, key: str) -> None:
    """Remove a folder of the artifact store whose row is gone, and the space of that row."""
    background.add_task(_delete, key)


async def _delete(key: str) -> None:
    try:
        await anyio.to_thread.run_sync(_delete_now, key, limiter=_threads)
    except Exception:
        log.warning("could not delete %s from the artifact store", key, exc_info=True)


def _delete_now(key: str) -> None:
    files = get_artifacts().delete(key)
    try:
        rows = give_back()
    except sqlite3.OperationalError:  # the space is for new rows, or is given back after a later deletion
        rows = 0
    log.info("deleted %s: its files had %s bytes, and the database gave back %s bytes", key, f"{files:,}", f"{rows:,}")
