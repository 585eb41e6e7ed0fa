"""A database that a newer version has migrated: every program says so, and leaves it alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from store.database import build_engine
from store.migrate import current
from tests.support.processes import Process, clean_environment, free_port, wait_until
from tests.support.runs import engine_of
from tests.support.stack import QUICK, Stack, StartStack

NEWER = "9999"
WORD = f"the database is newer than this version: it is at revision {NEWER}"


@pytest.fixture
def newer_url(database_url: str) -> Iterator[str]:
    engine = build_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": NEWER})
    yield database_url
    assert current(engine) == NEWER
    engine.dispose()


PROGRAMS = [("migrate",), ("up",), ("api",), ("worker",), ("doctor", "--fix"), ("token", "list")]
# Each program asks in the same way, so one of them is enough for the other engine.
ON_ENGINES = [*(("sqlite", program) for program in PROGRAMS), ("postgres", PROGRAMS[0])]


@pytest.mark.parametrize(("database_url", "program"), ON_ENGINES, indirect=["database_url"])
def test_no_program_starts_on_it(newer_url: str, tmp_path: Path, program: tuple[str, ...]) -> None:
    env = {"COLT_HOME": str(tmp_path / "home"), "COLT_DATABASE_URL": newer_url, "COLT_PORT": str(free_port())}
    process = Process(
        "refused", [sys.executable, "-m", "cli", *program], env=clean_environment(**QUICK, **env), folder=tmp_path
    )
    process.start()
    assert process.wait(60) == 1, process.output()
    assert WORD in process.output()
    assert "Traceback" not in process.output()


def test_a_running_service_takes_no_more_work_until_it_is_back(start_stack: StartStack) -> None:
    stack = start_stack("embedded")

    def set_revision(revision: str) -> None:
        with engine_of(stack) as engine, engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    with engine_of(stack) as engine:
        known = current(engine)
    assert known is not None
    set_revision(NEWER)
    wait_until(lambda: WORD in stack.workers[0].output(), 30, "the worker says so")
    wait_until(lambda: stack.client.get("/readyz").json()["missing"] == ["database"], 20, "readyz says so too")
    body = {"name": "d", "source": {"kind": "sample", "name": "digits"}}
    created = stack.client.post("/api/v1/datasets", json=body)
    dataset = f"/api/v1/datasets/{created.json()['id']}"
    wait_until(lambda: stack.workers[0].output().count("no more work is taken") >= 1, 30, "the worker declines")
    assert registration(stack, dataset) == ("registering", 0.0)
    set_revision(known)
    wait_until(lambda: registration(stack, dataset)[0] == "ready", 60, "it is registered after all")


def registration(stack: Stack, path: str) -> tuple[str, float]:
    answer: httpx.Response = stack.client.get(path)
    return answer.json()["status"], answer.json()["progress"]
