"""The worker's settings, on each database in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.settings import worker_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def configured(database_url: str, home: Path) -> Iterator[Engine]:
    """An engine on the worker's migrated database."""
    with worker_settings(home, database_url) as engine:
        yield engine
