"""Database or broker away for longer than a lease: clients are asked to try again, jobs pause and
catch up."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil
import pytest
import redis
from sqlalchemy import func, select

from store.broker import ANSWER_SECONDS
from store.database import reading
from store.models import Worker
from tests.support.processes import wait_until
from tests.support.runs import DATASET, Service, engine_of, post, wait_status
from tests.support.servers import Postgres, Redis
from tests.support.stack import QUICK

LEASE_SECONDS = float(QUICK["COLT_LEASE_SECONDS"])
LONGER_THAN_A_LEASE = 2 * LEASE_SECONDS

on_servers = pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
away_for = pytest.mark.parametrize("seconds", [LONGER_THAN_A_LEASE, pytest.param(60.0, marks=pytest.mark.slow)])


@contextmanager
def database_away(service: Service, request: pytest.FixtureRequest) -> Iterator[None]:
    """Postgres killed; or SQLite's only right to write taken, as by a program that hangs."""
    if "COLT_DATABASE_URL" in service.stack.env:
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.kill()
        try:
            yield
        finally:
            postgres.start()
        return
    with closing(sqlite3.connect(service.stack.home / "colt.db", isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN EXCLUSIVE")  # ends with the connection
        yield


def pids(service: Service) -> list[int]:
    return [process.pid for process in service.stack.processes if process.running]


@away_for
def test_the_database_away_for_longer_than_a_lease(
    service: Service, request: pytest.FixtureRequest, seconds: float
) -> None:
    before = pids(service)
    job_id = service.submit()
    service.wait_training(job_id)
    with ExitStack() as stream:
        events = stream.enter_context(service.stack.client.stream("GET", f"/api/v1/jobs/{job_id}/events", timeout=None))
        with database_away(service, request):
            away_until = time.monotonic() + seconds
            answers = [service.stack.client.post(f"/api/v1/jobs/{job_id}/cancel")]
            if "COLT_DATABASE_URL" in service.stack.env:  # SQLite's readers need nobody's leave
                answers += [service.stack.client.get(path) for path in ("/api/v1/jobs", "/readyz")]
                assert "colt_database_up 0.0" in service.stack.client.get("/metrics").text
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
                assert float(answer.headers["retry-after"]) > 0
            assert service.stack.client.get("/healthz").status_code == 200
            time.sleep(max(0.0, away_until - time.monotonic()))
        service.stack.wait_ready()
        service.assert_as_undisturbed(job_id)
        assert service.job(job_id)["attempts"] == 1  # neither lost its lease nor started again
        told = "\n".join(events.iter_lines())  # the stream outlived the outage, and ended by itself
    assert "event: end" in told and '"status":"succeeded"' in told.replace(" ", "")
    assert pids(service) == before


@on_servers
def test_a_database_that_hangs_for_longer_than_a_lease(service: Service, postgres: Postgres) -> None:
    """Connections stay, and say nothing."""
    before = pids(service)
    job_id = service.submit()
    service.wait_training(job_id)
    postgres.send(signal.SIGSTOP)
    try:
        time.sleep(LONGER_THAN_A_LEASE)
    finally:
        postgres.send(signal.SIGCONT)
    service.stack.wait_ready()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 1
    assert pids(service) == before


@on_servers
@away_for
def test_the_broker_away_while_jobs_run_and_wait(service: Service, redis_server: Redis, seconds: float) -> None:
    before = pids(service)
    running = service.submit()
    service.wait_training(running)
    redis_server.stop()
    try:
        waiting = service.submit()
        time.sleep(seconds)
        assert service.job(running)["status"] in {"running", "succeeded"}
        answer = service.stack.client.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (503, ["broker"])
    finally:
        redis_server.start()
    for job_id in (running, waiting):
        service.assert_as_undisturbed(job_id)
        assert service.job(job_id)["attempts"] == 1
    assert pids(service) == before


@on_servers
def test_a_broker_that_hangs_holds_up_neither_requests_nor_heartbeats(service: Service, redis_server: Redis) -> None:
    redis_server.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        job_id = service.submit()
        assert time.monotonic() - began < ANSWER_SECONDS / 2
        # Each beat of a worker rings too, and gives that up.
        first = beats(service)
        wait_until(lambda: beats(service) > first, 4 * ANSWER_SECONDS, "heartbeats move")
    finally:
        redis_server.send(signal.SIGCONT)
    service.assert_as_undisturbed(job_id)


@on_servers
def test_a_broker_that_answers_with_errors(service: Service) -> None:
    """Read-only, as while another server takes over: busy workers go on to take what waits, and
    idle ones live."""
    before = pids(service)
    running = service.submit()
    service.wait_training(running)
    with redis.Redis.from_url(service.stack.env["COLT_BROKER_URL"]) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        try:
            waiting = service.submit()
            time.sleep(LONGER_THAN_A_LEASE)
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
    for job_id in (running, waiting):
        service.assert_as_undisturbed(job_id)
        assert service.job(job_id)["attempts"] == 1
    assert pids(service) == before


@on_servers
def test_a_broker_that_is_emptied_under_a_running_service(service: Service) -> None:
    """One job runs; of the registrations, one waits behind those that the workers have begun."""
    running = service.submit()
    service.wait_training(running)
    waiting = [post(service.stack, "datasets", DATASET) for _ in range(len(service.stack.workers) + 1)]
    with redis.Redis.from_url(service.stack.env["COLT_BROKER_URL"]) as client:
        assert client.flushall()
    later = service.submit()
    for job_id in (running, later):
        service.assert_as_undisturbed(job_id)
        assert service.job(job_id)["attempts"] == 1
    for dataset_id in waiting:
        assert wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")["status"] == "ready"


def beats(service: Service) -> float:
    """When any of the workers last beat."""
    with engine_of(service.stack) as engine, reading(engine) as session:
        last = session.scalar(select(func.max(Worker.heartbeat_at)))
        assert last is not None
        return last.timestamp()


def test_every_process_paused_for_longer_than_a_lease(service: Service) -> None:
    """As by SIGSTOP, or a frozen container: nobody renewed a lease meanwhile, and nobody takes
    another's."""
    job_id = service.submit()
    trainer = service.wait_training(job_id)
    everyone = [psutil.Process(pid) for pid in pids(service)]
    everyone += [child for process in everyone for child in process.children(recursive=True)]
    assert trainer in everyone
    for process in everyone:
        process.suspend()
    time.sleep(LONGER_THAN_A_LEASE)
    for process in everyone:
        process.resume()
    service.assert_as_undisturbed(job_id)
    assert service.job(job_id)["attempts"] == 1
