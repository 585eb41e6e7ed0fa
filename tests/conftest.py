"""Fixtures every test may use. Servers are real and start only when a test asks for one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.database import build_engine
from store.migrate import upgrade
from tests.support.missing import cannot_run
from tests.support.servers import Postgres, Redis
from tests.support.stack import STACKS, Kind, Stack, StartStack, running_stack

pytest_plugins = ["tests.support.reporting", "tests.support.scheduling"]

# Set before torch is imported, for this process and those that it starts. With one thread, numbers
# do not depend on the number of cores, and tests can run side by side.
os.environ["OMP_NUM_THREADS"] = "1"

# Hundreds of processes are started: without kept bytecode each would compile all of our modules for
# itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests see no setting of the developer's shell or `.env`, and never write into
    `./.colt`."""
    folder = tmp_path_factory.mktemp("outside")
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("COLT_")]:
            patch.delenv(key)
        patch.setenv("COLT_HOME", str(folder / "home"))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A real Redis server; a test that stops it must start it again."""
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An emptied Redis database."""
    return redis_server.fresh_url()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = build_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with request.getfixturevalue("postgres").database(migrated=False) as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of the test's own, on each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "colt.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated database of the test's own; the test runs once on each engine."""
    engine = build_engine(database_url)
    yield engine
    engine.dispose()


def _stack_starter(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[StartStack]:
    with ExitStack() as running:

        def start(kind: Kind = "embedded", *, workers: int | None = None, **env: str) -> Stack:
            servers = (
                (request.getfixturevalue("postgres"), request.getfixturevalue("redis_server"))
                if kind == "distributed"
                else (None, None)
            )
            folder = folders.mktemp("stack")
            return running.enter_context(running_stack(folder, kind, *servers, workers=workers, **env))

        yield start


@pytest.fixture
def start_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """`start_stack("embedded" | "distributed", workers=None, COLT_X="...")`: a ready service, ended
    with the test."""
    yield from _stack_starter(request, tmp_path_factory)


@pytest.fixture(scope="module")
def start_module_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartStack]:
    """The same, ended with the module: for tests that only read what a few of them made."""
    yield from _stack_starter(request, tmp_path_factory)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, start_stack: StartStack) -> Stack:
    """A ready service of the test's own, on each pair of back ends in turn."""
    return start_stack(request.param)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a real Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return cannot_run("Chromium is not installed (Debian: apt-get install chromium)")
