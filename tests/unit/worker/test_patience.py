from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from store.database import reading
from store.models import Worker
from tests.support.servers import Postgres
from tests.support.settings import worker_settings
from worker.patience import retry_during_outage, retry_transaction


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
        assert retry_transaction(write) == "written"
        assert len(tries) == 2 and workers(engine) == 1


def test_a_database_that_stays_away_is_given_up_in_the_end(tmp_path: Path) -> None:
    with worker_settings(tmp_path, "postgresql://nobody@127.0.0.1:1/none"):
        began = time.monotonic()
        with pytest.raises(DBAPIError):
            retry_transaction(lambda session: session.execute(text("SELECT 1")), patience=0.5)
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
        assert retry_transaction(write) == 7
    assert len(tries) == 3


@pytest.mark.parametrize("statement", ["INSERT INTO workers (id) VALUES ('no times')", "SELECT no_such_column"])
def test_an_unwilling_database_is_not_asked_twice(configured: Engine, statement: str) -> None:
    tries = []

    def write(session: Session) -> None:
        tries.append(1)
        session.execute(text(statement))

    with pytest.raises(DBAPIError) as caught:
        retry_transaction(write)
    assert len(tries) == 1
    assert isinstance(caught.value, IntegrityError) == statement.startswith("INSERT")
    assert workers(configured) == 0


def test_who_waits_in_events_once_and_may_give_up() -> None:
    told: list[str] = []
    tries = []

    def store() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise OSError(28, "No space left on device")
        return "stored"

    def outage(error: Exception) -> str | None:
        return "the disk is full" if isinstance(error, OSError) else None

    assert retry_during_outage(store, outage, 60, on_wait=told.append) == "stored"
    assert (len(tries), told) == (4, ["the disk is full"])
    tries.clear()
    with pytest.raises(OSError):
        retry_during_outage(store, outage, 60, give_up=lambda: len(tries) == 2)
    assert len(tries) == 2


def test_a_sqlite_database_without_room_is_waited_for(configured: Engine, tmp_path: Path) -> None:
    if configured.dialect.name != "sqlite":
        return
    tries = []

    def write(session: Session) -> int:
        tries.append(1)
        pages = session.scalar(text("PRAGMA page_count")) or 0
        session.execute(text(f"PRAGMA max_page_count={pages if len(tries) == 1 else 2**30}"))
        session.add(Worker(id="w" * 10_000))
        session.flush()
        return len(tries)

    assert retry_transaction(write) == 2
