"""This process as a service or a worker: its settings, engine and artifact store, new for each
test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.artifacts import get_artifacts
from store.broker import get_celery
from store.database import get_engine
from store.home import make_home
from store.settings import get_settings
from tests.support.processes import MARK

CACHED = (get_settings, get_engine, get_artifacts, get_celery)
QUICK = {
    "POLL_SECONDS": "0.1",
    "LEASE_SECONDS": "6",
    "STOP_GRACE_SECONDS": "1",
    "TORCH_THREADS": "1",
    "JOBS_SIDE_BY_SIDE": "1",
    "MAX_ATTEMPTS": "2",
}


def forget_settings() -> None:
    """Forget what was made from the settings, so that it is made again."""
    for cached in CACHED:
        cached.cache_clear()


@contextmanager
def service_settings(folder: Path, database_url: str) -> Iterator[Path]:
    """The data folder of a service whose settings are the defaults, but for the database and one
    allowed root."""
    (folder / "allowed").mkdir()
    values = {"HOME": str(folder / "home"), "DATABASE_URL": database_url, "DATA_ROOTS": str(folder / "allowed")}
    with settings_of({f"COLT_{name}": value for name, value in values.items()}):
        make_home(get_settings().home)
        yield get_settings().home


@contextmanager
def worker_settings(home: Path, database_url: str) -> Iterator[Engine]:
    """Set them in the environment, which child processes inherit; answers the engine."""
    values = {**QUICK, "HOME": str(home), "DATABASE_URL": database_url}
    with settings_of({f"COLT_{name}": value for name, value in values.items()}):
        make_home(home)
        yield get_engine()


@contextmanager
def settings_of(environment: Mapping[str, str]) -> Iterator[None]:
    """Take over what it says of this service, as a process with that environment would."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("COLT_") and name != MARK:
                patch.setenv(name, value)
        forget_settings()
        yield
        get_engine().dispose()
    forget_settings()
