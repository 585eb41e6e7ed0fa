from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from store.database import reading
from store.models import Worker
from tests.services.servers import Postgres
from tests.worker_settings import worker_settings
from worker.patience import persist


def workers(engine: Engine) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(Worker)) or 0


def test_a_connection_that_breaks_off_is_made_anew(postgres: Postgres, tmp_path: Path) -> None:
    tries = []

    def write(session: Session) -> str:
        tries.append(1)
        session.add(Worker(id=f"worker-{len(tries)}"))
        session.flush()
        if len(tries) == 1:  # as when the server restarts
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "written"

    with postgres.database() as url, worker_settings(tmp_path, url) as engine:
        assert persist(write) == "written"
        assert len(tries) == 2 and workers(engine) == 1


def test_a_database_that_stays_away_is_given_up_in_the_end(tmp_path: Path) -> None:
    with worker_settings(tmp_path, "postgresql://nobody@127.0.0.1:1/none"):
        began = time.monotonic()
        with pytest.raises(DBAPIError):
            persist(lambda session: session.execute(text("SELECT 1")), patience=0.5)
        assert 0.1 <= time.monotonic() - began < 10


def test_a_sqlite_file_that_comes_back_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    tries = []

    def write(session: Session) -> int | None:
        tries.append(1)
        if len(tries) == 3:
            folder.mkdir()
        return session.scalar(text("SELECT 7"))

    with worker_settings(tmp_path, f"sqlite:///{folder / 'colt.db'}"):
        folder.rmdir()  # the engine made it
        assert persist(write) == 7
    assert len(tries) == 3


@pytest.mark.parametrize("statement", ["INSERT INTO workers (id) VALUES ('no times')", "SELECT no_such_column"])
def test_an_unwilling_database_is_not_asked_twice(configured: Engine, statement: str) -> None:
    tries = []

    def write(session: Session) -> None:
        tries.append(1)
        session.execute(text(statement))

    with pytest.raises(DBAPIError) as caught:
        persist(write)
    assert len(tries) == 1
    assert isinstance(caught.value, IntegrityError) == statement.startswith("INSERT")
    assert workers(configured) == 0
