"""`python -m worker` as its user sees it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from store.database import reading
from store.models import Worker
from tests.support.processes import Process, clean_environment, wait_until

Start = Callable[..., Process]


@pytest.fixture
def start(configured: Engine, home: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def start(**env: str) -> Process:
        env = clean_environment(COLT_HOME=str(home), **env)
        started.append(Process("worker", [sys.executable, "-m", "worker"], env=env, folder=tmp_path))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.kill()


def test_a_stop_that_was_asked_for_is_a_success(configured: Engine, start: Start) -> None:
    process = start()

    def beats() -> bool:
        with reading(configured) as session:
            return session.scalar(select(Worker.id)) is not None

    wait_until(beats, 60, "the worker is ready")
    process.send(signal.SIGTERM)
    assert process.wait(30) == 0, process.output()


def test_what_it_cannot_get_over_is_a_failure(start: Start) -> None:
    process = start(COLT_BROKER_URL="redis://127.0.0.1:1/loft")  # Redis's databases have numbers
    assert process.wait(60) == 1, process.output()
    assert "Unrecoverable error" in process.output()
