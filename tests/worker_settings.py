"""This process as one of a worker's: its settings, engine and artifact store, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.artifacts import get_artifacts
from store.broker import get_celery
from store.database import get_engine
from store.settings import get_settings

CACHED = (get_settings, get_engine, get_artifacts, get_celery)
QUICK = {
    "POLL_SECONDS": "0.1",
    "LEASE_SECONDS": "3",
    "STOP_GRACE_SECONDS": "1",
    "TORCH_THREADS": "1",
    "MAX_ATTEMPTS": "2",
}


@contextmanager
def worker_settings(home: Path, database_url: str) -> Iterator[Engine]:
    """Set them in the environment, which child processes inherit; answers the engine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUICK, "HOME": str(home), "DATABASE_URL": database_url}.items():
            patch.setenv(f"COLT_{name}", value)
        _forget()
        yield get_engine()
        get_engine().dispose()
    _forget()


def _forget() -> None:
    for cached in CACHED:
        cached.cache_clear()
