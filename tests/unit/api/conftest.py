"""The application in this process, on a database and an artifact folder of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.main import create_app
from store.artifacts import get_artifacts
from store.broker import get_celery
from store.database import get_engine
from store.settings import get_settings
from tests.unit.api.rows import Rows
from tests.unit.api.server import serving


def forget_settings() -> None:
    """What was made from the settings is made anew."""
    for cached in (get_settings, get_engine, get_artifacts, get_celery):
        cached.cache_clear()


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(dashboard=Path("/nowhere"))


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A migrated SQLite database of the test's own.

    Modules whose queries the engines could answer differently import `tests.conftest.database_url` over this one.
    """
    shutil.copy(sqlite_template, tmp_path / "colt.db")
    return f"sqlite:///{tmp_path / 'colt.db'}"


@contextmanager
def settings_in(folder: Path, database_url: str) -> Iterator[Path]:
    """The data folder of a service whose settings are the defaults, but for the database and one allowed root."""
    (folder / "allowed").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLT_HOME", str(folder / "home"))
        patch.setenv("COLT_DATABASE_URL", database_url)
        patch.setenv("COLT_DATA_ROOTS", str(folder / "allowed"))
        forget_settings()
        yield get_settings().home
        get_engine().dispose()
    forget_settings()


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> Iterator[Path]:
    """The data folder of the test's own service."""
    with settings_in(tmp_path, database_url) as home:
        yield home


@pytest.fixture
def client(home: Path, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def rows(home: Path) -> Rows:
    """Makes what a worker would have left."""
    return Rows()


@pytest.fixture
def service_engine(home: Path) -> Engine:
    return get_engine()


@pytest.fixture
def server(home: Path, app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the application behind a real socket."""
    with serving(app) as client:
        yield client
