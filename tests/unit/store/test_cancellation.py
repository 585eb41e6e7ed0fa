"""Reads that nobody waits for end, on both engines."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from store.cancellation import Cancellation, Cancelled
from store.database import reading
from tests.support.long_query import COUNTING
from tests.support.processes import wait_until


def test_a_query_that_runs_is_broken_off(engine: Engine) -> None:
    cancellation, begun = Cancellation(), threading.Event()

    def read() -> None:
        with reading(engine) as session:
            session.execute(text("SELECT 1"))
            begun.set()
            session.execute(COUNTING)

    def ask() -> bool:
        cancellation.ask()
        return result.done()

    with ThreadPoolExecutor(1) as pool:
        with cancellation.current():
            result = pool.submit(contextvars.copy_context().run, read)
        assert begun.wait(30)
        wait_until(ask, 30, "the read has ended")
        with pytest.raises((OperationalError, Cancelled)):
            result.result()
    with reading(engine) as session:  # the connection serves the next read
        assert session.scalar(text("SELECT 1")) == 1


def test_no_further_query_is_begun(engine: Engine) -> None:
    cancellation = Cancellation()
    with cancellation.current(), reading(engine) as session:
        assert session.scalar(text("SELECT 1")) == 1
        cancellation.ask()
        with pytest.raises(Cancelled):
            session.execute(text("SELECT 1"))
    with reading(engine) as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_other_reads_go_on(engine: Engine) -> None:
    cancellation = Cancellation()
    with reading(engine) as other:
        with cancellation.current(), reading(engine):
            cancellation.ask()
        assert other.scalar(text("SELECT 1")) == 1
