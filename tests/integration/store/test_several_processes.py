"""One database, several processes at once."""

from __future__ import annotations

import subprocess
import sys

from sqlalchemy import Engine, func, select

from store.database import build_engine, reading, writing
from store.migrate import current, head
from store.models import Dataset
from tests.support.processes import REPOSITORY, clean_environment

PROCESSES, ROWS, INCREMENTS = 3, 100, 150
COUNT_UP = f"""
import sys
from store.database import build_engine, writing
from store.models import Dataset
engine = build_engine(sys.argv[1])
sys.stdin.readline()
for _ in range({INCREMENTS}):
    with writing(engine) as session:
        row = session.get(Dataset, "counter", with_for_update=True)
        row.num_samples = row.num_samples + 1
engine.dispose()
"""
UPGRADE = """
import sys
from store.database import build_engine
from store.migrate import upgrade
engine = build_engine(sys.argv[1])
sys.stdin.readline()
upgrade(engine)
"""


def run_at_once(code: str, url: str) -> None:
    """Processes that run the code with the database's URL; each waits for a line, so that all begin
    together."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            cwd=REPOSITORY,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert [status for _, status in outcomes] == [0] * PROCESSES, outcomes


def test_several_processes_claim_each_row_exactly_once(engine: Engine, database_url: str) -> None:
    with writing(engine) as session:
        session.add_all(Dataset(name=str(number), spec={}) for number in range(ROWS))
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.claimer", database_url, f"worker-{number}"],
            env=clean_environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    claimed = [tuple(line.split()) for output in outputs for line in output.splitlines()]
    assert len(claimed) == ROWS
    with reading(engine) as session:
        held = {tuple(row) for row in session.execute(select(Dataset.id, Dataset.lease_token))}
        assert session.scalar(select(func.sum(Dataset.attempts))) == ROWS
    assert held == set(claimed)


def test_no_update_is_lost_between_processes(engine: Engine, database_url: str) -> None:
    with writing(engine) as session:
        session.add(Dataset(id="counter", name="digits", spec={}, num_samples=0))
    run_at_once(COUNT_UP, database_url)
    with reading(engine) as session:
        assert session.scalar(select(Dataset.num_samples)) == PROCESSES * INCREMENTS


def test_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    run_at_once(UPGRADE, empty_database_url)
    engine = build_engine(empty_database_url)
    assert current(engine) == head()
    engine.dispose()
