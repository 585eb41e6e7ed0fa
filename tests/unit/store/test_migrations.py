"""Migrations on both engines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from store.database import build_engine
from store.migrate import current, head, upgrade
from store.models import Base
from tests.services.processes import REPOSITORY, clean_environment


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[Engine]:
    engine = build_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_upgrade_from_empty_makes_every_table(empty_engine: Engine) -> None:
    assert current(empty_engine) is None
    upgrade(empty_engine)
    assert current(empty_engine) == head()
    assert set(inspect(empty_engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert current(engine) == head()


def test_the_models_say_nothing_that_the_migrations_do_not(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_foreign_keys_are_enforced_again_after_an_upgrade(tmp_path: Path) -> None:
    engine = build_engine(f"sqlite:///{tmp_path}/colt.db")
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


def test_processes_may_upgrade_at_once(empty_engine: Engine, empty_database_url: str) -> None:
    code = (
        "import sys; from store.database import build_engine; from store.migrate import upgrade\n"
        "engine = build_engine(sys.argv[1]); sys.stdin.readline(); upgrade(engine)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, empty_database_url],
            cwd=REPOSITORY,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert [code for _, code in outcomes] == [0, 0, 0], outcomes
    assert current(empty_engine) == head()
