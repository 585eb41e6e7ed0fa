from __future__ import annotations

from pathlib import Path

import pytest

from tools.sql_rooms import main, places


def test_sql_is_in_the_store_alone() -> None:
    assert main() == 0


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy import select",
        "from sqlalchemy import func as f, text",
        "from sqlalchemy.orm import Session, joinedload",
        "from sqlalchemy.dialects.postgresql import insert",
        "import sqlalchemy",
        "import sqlalchemy.orm",
        "import sqlalchemy.exc; sqlalchemy.text('SELECT 1')",
        "session.execute(statement)",
        "found = held_session.scalars(statement).all()",
        "session.scalar(statement)",
        "session.query(Job)",
        "engine.connect().exec_driver_sql('SELECT 1')",
    ],
)
def test_what_builds_or_runs_sql_is_found(line: str) -> None:
    assert {where for where, _ in places(f"import os\n{line}\n")} == {2}


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy.orm import Session",
        "from sqlalchemy.exc import DBAPIError, OperationalError",
        "from sqlalchemy import exc",
        "import sqlalchemy.exc; sqlalchemy.exc.DataError",
        "from store.repositories import jobs; jobs.get(session, job_id)",
        "session.get_one(Job, job_id)",
        "executor.submit(work)",
    ],
)
def test_types_and_errors_may_be_named(line: str) -> None:
    assert list(places(line)) == []


def test_a_finding_names_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    room = tmp_path / "worker" / "deep"
    room.mkdir(parents=True)
    (room / "cleaner.py").write_text("from sqlalchemy import delete\n")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "jobs.py").write_text("from sqlalchemy import delete\n")
    assert main(tmp_path) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("worker/deep/cleaner.py:1: imports delete of sqlalchemy")
