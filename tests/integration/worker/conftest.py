"""The worker's settings, on SQLite; the engines differ in claims and outcomes, which tests/unit
holds to both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.settings import get_settings
from tests.support.settings import worker_settings
from worker import programs


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    """Programs are forked off a process that ends with the thread that started it."""
    programs.prepare(get_settings())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def configured(sqlite_template: Path, home: Path) -> Iterator[Engine]:
    """An engine on the worker's migrated database."""
    home.mkdir()
    shutil.copy(sqlite_template, home / "colt.db")
    with worker_settings(home, f"sqlite:///{home / 'colt.db'}") as engine:
        yield engine
