"""A table that somebody locks silences what needs it, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, Engine, event, text

from api.main import create_app
from store.database import build_engine, get_engine, reading, writing
from tests.support.problems import problem
from tests.support.processes import wait_until
from tests.support.results import Rows
from tests.support.servers import Postgres
from tests.support.serving import serving
from tests.support.settings import forget_settings, service_settings

API = "/api/v1"
READERS = 45  # more than there are threads


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def other(database_url: str) -> Iterator[Engine]:
    """An engine of another program, which has no limits."""
    engine = build_engine(database_url)
    yield engine
    engine.dispose()


@contextlib.contextmanager
def locked(engine: Engine, table: str) -> Iterator[None]:
    with engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
        connection.rollback()


def waiting(engine: Engine) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return int(connection.scalar(text(query)) or 0)


def patient(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("COLT_LOCK_TIMEOUT_SECONDS", seconds)
    monkeypatch.setenv("COLT_STATEMENT_TIMEOUT_SECONDS", seconds)
    forget_settings()


def test_what_needs_no_query_never_waits_for_one(
    home: Path, tmp_path: Path, other: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch, "120")  # so that the readers are stuck for as long as the test needs
    Rows().worker()
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<title>dashboard</title>")
    (build / "assets" / "app-1a2b.js").write_text("1")
    with serving(create_app(dashboard=build)) as client, ThreadPoolExecutor(READERS) as readers:
        with locked(other, "jobs"):
            asked: list[Future[httpx.Response]] = [readers.submit(client.get, f"{API}/jobs") for _ in range(READERS)]
            wait_until(lambda: waiting(other) == 40, 30, "every thread is stuck")
            for path in ("/", "/assets/app-1a2b.js", "/docs", "/openapi.json", "/healthz", "/readyz"):
                assert client.get(path).status_code == 200, path
            stuck = sum(not future.done() for future in asked)
        assert stuck >= 40
        # Five waited for a thread, and may have got a 503.
        assert sorted(future.result().status_code for future in asked)[:40] == [200] * 40


def test_a_lock_that_is_not_freed_is_a_503(
    home: Path, other: Engine, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    patient(monkeypatch, "0.5")
    job = rows.job()
    with serving(create_app(dashboard=Path("/nowhere"))) as client, ThreadPoolExecutor(READERS) as readers:
        with locked(other, "jobs"):
            for answer in readers.map(lambda _: client.get(f"{API}/jobs"), range(READERS)):
                told = problem(answer, 503)
                assert "locked" in str(told["detail"])
                assert float(answer.headers["retry-after"]) > 0
            assert "locked" in str(problem(client.post(f"{API}/jobs/{job.id}/resume"), 503)["detail"])
            assert client.get(f"{API}/datasets").status_code == 200
            assert "colt_database_up 0.0" in client.get("/metrics").text
        assert client.get(f"{API}/jobs").status_code == 200


def test_a_transaction_that_postgres_ends_is_a_503(
    home: Path, other: Engine, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    monkeypatch.setenv("COLT_LEASE_SECONDS", "0.3")  # the limit of an idle transaction
    forget_settings()
    job = rows.job(status="failed")

    def connected(pid: int) -> bool:
        with other.connect() as connection:
            query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            return bool(connection.scalar(query, {"pid": pid}))

    def pause(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "idle_in_transaction_session_timeout" in statement:
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            wait_until(lambda: not connected(pid), 30, "Postgres ended the transaction")

    with serving(create_app(dashboard=Path("/nowhere"))) as client:
        event.listen(get_engine(), "after_cursor_execute", pause)
        answer = client.post(f"{API}/jobs/{job.id}/resume")
        event.remove(get_engine(), "after_cursor_execute", pause)
        assert "does not answer" in str(problem(answer, 503)["detail"])
        assert float(answer.headers["retry-after"]) > 0
        assert client.get(f"{API}/jobs/{job.id}").json()["status"] == "failed"
        assert client.post(f"{API}/jobs/{job.id}/resume").status_code == 202


def test_a_writer_that_holds_sqlite_is_a_503(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "colt.db"
    file.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("COLT_LOCK_TIMEOUT_SECONDS", "0.2")
    other = build_engine(f"sqlite:///{file}")
    with service_settings(tmp_path, f"sqlite:///{file}"):
        body = {"name": "d", "source": {"kind": "sample", "name": "digits"}}
        with serving(create_app(dashboard=Path("/nowhere"))) as client:
            with reading() as session:
                assert session.scalar(text("PRAGMA busy_timeout")) == 200
            with writing(other) as session:
                session.execute(text("SELECT 1"))
                answer = client.post(f"{API}/datasets", json=body)
            assert "locked" in str(problem(answer, 503)["detail"])
            assert float(answer.headers["retry-after"]) > 0
            assert client.post(f"{API}/datasets", json=body).status_code == 202
    other.dispose()
