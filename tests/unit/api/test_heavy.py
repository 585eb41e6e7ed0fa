"""Reads of long histories: how many at once, and what becomes of them when their client leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.compare.service import MOST_POINTS
from api.health import metrics
from api.http import errors, heavy
from api.http.threads import OneThread
from store.database import reading, writing
from store.repositories import recording
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.long_query import COUNTING
from tests.support.problems import problem
from tests.support.processes import wait_until
from tests.support.results import Rows
from tests.support.serving import serving

API = "/api/v1"
HEAVY = ["metrics", "profile", "tailness/samples", "tailness/samples/0", "tailness/classes"]
HEAVY += ["ood-tailness", "ood-tailness/0", "ood-tailness/0/nearest", "ood-tailness/export"]


class Service:
    """An application with heavy endpoints of our own, and what has become of their requests."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[type[BaseException]] = []
        self.may_end = threading.Event()
        self.app = FastAPI()
        self.app.router.route_class = OneThread
        errors.install(self.app)

        @self.app.get("/count")
        @heavy.heavy
        def count() -> None:
            self.begun.append("count")
            try:
                with reading() as session:
                    session.execute(COUNTING)
            except Exception as error:
                self.ended.append(type(error))
                raise

        @self.app.get("/hold")
        @heavy.heavy
        def hold() -> int:
            self.begun.append("hold")
            assert self.may_end.wait(30)
            return 1

        @self.app.get("/light")
        def light() -> int:
            return 2


@pytest.fixture
def service(service_engine: Engine) -> Iterator[Service]:
    made = Service()
    yield made
    made.may_end.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 0.1)


@contextmanager
def at_another_address(client: httpx.Client) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=client.base_url, transport=transport, timeout=20) as other:
        yield other


def test_four_run_at_once_and_a_fifth_may_come_again(service: Service, impatient: None) -> None:
    with serving(service.app) as client, at_another_address(client) as other, ThreadPoolExecutor(4) as pool:
        running = [pool.submit(asking.get, "/hold") for asking in (client, client, other, other)]
        wait_until(lambda: len(service.begun) == 4, 30, "four requests run")
        fifth = client.get("/hold")
        assert "in progress" in str(problem(fifth, 503)["detail"])
        assert fifth.headers["retry-after"] == str(heavy.RETRY_SECONDS)
        assert client.get("/light").json() == 2
        service.may_end.set()
        assert [answer.result().json() for answer in running] == [1] * 4
        assert client.get("/hold").json() == 1


def test_one_client_leaves_a_place_to_others(service: Service, impatient: None) -> None:
    with serving(service.app) as client, at_another_address(client) as other, ThreadPoolExecutor(4) as pool:
        running = [pool.submit(client.get, "/hold") for _ in range(heavy.MOST_OF_ONE)]
        wait_until(lambda: len(service.begun) == heavy.MOST_OF_ONE, 30, "its requests run")
        problem(client.get("/hold"), 503)
        running.append(pool.submit(other.get, "/hold"))
        wait_until(lambda: len(service.begun) == heavy.MOST_AT_ONCE, 30, "the other's runs too")
        service.may_end.set()
        assert [answer.result().json() for answer in running] == [1] * 4
        assert client.get("/hold").json() == 1
    assert not heavy._own_places  # clients that wait for nothing are forgotten


def test_a_read_ends_when_its_client_leaves(service: Service) -> None:
    counted = metrics.exposition()[0].count(b"colt_database_errors_total")
    with serving(service.app) as client:
        for number in range(1, heavy.MOST_AT_ONCE + 2):  # each leaves its place to others
            with pytest.raises(httpx.ReadTimeout):
                client.get("/count", timeout=httpx.Timeout(20, read=0.2))
            wait_until(partial(lambda ended: len(service.ended) == ended, number), 30, "the read has ended")
        assert client.get("/light").json() == 2
    assert len(service.begun) == len(service.ended)
    assert metrics.exposition()[0].count(b"colt_database_errors_total") == counted
    with reading() as session:
        assert session.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("path", [*(f"jobs/{{job}}/{path}" for path in HEAVY), "compare?job_id={job}&job_id=x"])
def test_all_reads_of_histories_are_bounded(
    client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(heavy, "_places", anyio.Semaphore(0))
    monkeypatch.setattr(heavy, "WAIT_SECONDS", 0.01)
    job = rows.job()
    problem(client.get(f"{API}/{path.format(job=job.id)}"), 503)
    assert client.get(f"{API}/jobs/{job.id}").status_code == 200


def test_a_comparison_has_a_bounded_number_of_points(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    jobs = [rows.job(dataset) for _ in range(5)]
    points = [(f"curve {number}", step, step % 7) for number in range(20) for step in range(1, 1_101)]
    with writing() as session:
        for job in jobs:
            recording.add_metrics(session, job.id, points)
    asked = {"job_id": [job.id for job in jobs], "max_points": 10_000}
    curves = client.get(f"{API}/compare", params=asked).json()["curves"]
    assert len(curves) == 20
    shown = [len(curve["step"]) for of_jobs in curves.values() for curve in of_jobs]
    assert len(shown) == 100
    assert sum(shown) <= MOST_POINTS
    assert min(shown) > 400
