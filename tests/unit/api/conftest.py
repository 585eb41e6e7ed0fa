"""The application in this process, on a database and an artifact folder of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.main import create_app
from store.database import get_engine
from tests.support.results import Rows
from tests.support.serving import serving
from tests.support.settings import service_settings


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(Path("/nowhere"), Path("/nowhere"))


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A migrated SQLite database of the test's own.

    Modules whose queries the engines could answer differently import `tests.conftest.database_url`
    over this one.
    """
    shutil.copy(sqlite_template, tmp_path / "colt.db")
    return f"sqlite:///{tmp_path / 'colt.db'}"


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> Iterator[Path]:
    """The data folder of the test's own service."""
    with service_settings(tmp_path, database_url) as home:
        yield home


@pytest.fixture
def client(home: Path, app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def rows(home: Path) -> Rows:
    """Writes the rows and files that a worker would write."""
    return Rows()


@pytest.fixture
def service_engine(home: Path) -> Engine:
    return get_engine()


@pytest.fixture
def server(home: Path, app: FastAPI) -> Iterator[httpx.Client]:
    """A client of the application behind a real socket."""
    with serving(app) as client:
        yield client
