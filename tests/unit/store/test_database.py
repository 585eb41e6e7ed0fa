"""Sessions: no update is lost between processes, readers block no writer, and times come back as
UTC."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

from store.database import build_engine, limit_waits, reading, waited_too_long, writing
from store.models import Checkpoint, Dataset, Upload, Worker, utc_now
from store.settings import get_settings
from tests.support.servers import Postgres
from worker.patience import is_outage


def _dataset(**values: object) -> Dataset:
    return Dataset(**{"name": "digits", "spec": {}, "num_samples": 0, **values})


def test_sqlite_takes_the_write_lock_before_the_first_read(tmp_path: Path) -> None:
    engine = build_engine(f"sqlite:///{tmp_path / 'colt.db'}")
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with writing(engine) as session:
        session.execute(text("SELECT 1"))
    with reading(engine) as session:
        session.execute(text("SELECT 1"))
    assert [statement for statement in statements if statement.startswith("BEGIN")] == ["BEGIN IMMEDIATE", "BEGIN"]
    engine.dispose()


def test_an_open_reader_holds_up_no_writer_and_sees_a_steady_state(engine: Engine) -> None:
    with reading(engine) as reader:
        if engine.dialect.name == "postgresql":
            reader.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        assert reader.scalars(select(Dataset)).all() == []
        finished = threading.Event()

        def write() -> None:
            with writing(engine) as session:
                session.add(_dataset())
            finished.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert finished.wait(5), "the writer waited for the reader"
        writer.join()
        assert reader.scalars(select(Dataset)).all() == []
    with reading(engine) as reader:
        assert len(reader.scalars(select(Dataset)).all()) == 1


def test_a_reading_session_cannot_write_behind_a_writer_on_sqlite(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "colt.db"
    path.write_bytes(sqlite_template.read_bytes())
    engine = build_engine(f"sqlite:///{path}")
    with reading(engine) as reader:
        reader.scalars(select(Dataset)).all()
        with writing(engine) as session:
            session.add(_dataset())
        reader.add(_dataset())
        with pytest.raises(OperationalError, match="locked"):
            reader.flush()
    engine.dispose()


def test_a_paused_writer_keeps_its_locks_no_longer_than_a_lease(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_LEASE_SECONDS", "0.3")
    get_settings.cache_clear()
    with postgres.database() as url:
        paused, other = build_engine(url), build_engine(url)
        with writing(other) as session:
            session.add(Worker(id="w"))
        renamed = update(Worker).values(id="taken over")
        with pytest.raises(DBAPIError) as told, writing(paused) as session:
            session.execute(update(Worker).values(heartbeat_at=utc_now()))
            with writing(other) as second:
                second.execute(text("SET LOCAL lock_timeout = '20s'"))
                second.execute(renamed)
            session.execute(renamed)
        assert is_outage(told.value)  # what it was about to write is written again, if the work is still its own
        with reading(other) as session:
            assert session.scalars(select(Worker.id)).one() == "taken over"
        paused.dispose()
        other.dispose()
    get_settings.cache_clear()


def test_an_exception_keeps_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as session:
        session.add(_dataset())
        session.flush()
        raise RuntimeError
    with reading(engine) as session:
        assert session.scalars(select(Dataset)).all() == []


def test_foreign_keys_are_enforced(engine: Engine) -> None:
    orphan = Checkpoint(job_id="nowhere", epoch=1, step=1, artifact="a", bytes=1, sha256="0")
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(orphan)


def test_times_come_back_as_the_same_instant_in_utc(engine: Engine) -> None:
    tokyo = dt.timezone(dt.timedelta(hours=9))
    moment = dt.datetime(2026, 11, 24, 8, 30, 15, 123456, tokyo)
    with writing(engine) as session:
        session.add(Worker(id="w", started_at=moment))
    with reading(engine) as session:
        kept = session.scalars(select(Worker)).one()
    assert kept.started_at == moment
    assert kept.started_at.tzinfo is dt.UTC
    assert abs(kept.heartbeat_at - utc_now()) < dt.timedelta(minutes=1)


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    naive = dt.datetime(2026, 11, 24)  # noqa: DTZ001
    with pytest.raises(StatementError, match="without a zone"), writing(engine) as session:
        session.add(Worker(id="w", started_at=naive))


def test_files_beyond_two_gibibytes_are_counted(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Upload(filename="big.zip", bytes=20 * 2**30, sha256="0", artifact="a"))
    with reading(engine) as session:
        assert session.scalar(select(Upload.bytes)) == 20 * 2**30


def test_plain_postgres_urls_get_the_driver_that_is_installed() -> None:
    for url in ("postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"):
        engine = build_engine(url)
        assert engine.driver == "psycopg"
        engine.dispose()


def test_a_limited_engine_waits_no_longer_than_it_may(database_url: str) -> None:
    limited, other = build_engine(database_url), build_engine(database_url)
    limit_waits(limited, 0.2, 60)
    with writing(other) as session:
        session.execute(delete(Worker))
        session.add(Worker(id="w"))
        session.flush()
        with pytest.raises(OperationalError) as told, writing(limited) as second:
            second.add(Worker(id="w"))
            second.flush()
        assert waited_too_long(told.value)
    with writing(limited) as session:  # and the limit outlasts a rollback
        session.execute(delete(Worker))
    limited.dispose()
    other.dispose()


def test_a_query_runs_no_longer_than_it_may(postgres: Postgres) -> None:
    with postgres.database() as url:
        engine = build_engine(url)
        limit_waits(engine, 60, 0.2)
        for _ in range(2):
            with pytest.raises(OperationalError) as told, reading(engine) as session:
                session.execute(text("SELECT pg_sleep(60)"))
            assert waited_too_long(told.value)
        with pytest.raises(OperationalError) as told, reading(engine) as session:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert not waited_too_long(told.value)
        engine.dispose()
