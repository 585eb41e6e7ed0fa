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


def on_server(service: Service) -> bool:
    return "COLT_DATABASE_URL" in service.stack.env


@contextmanager
def database_away(service: Service, request: pytest.FixtureRequest) -> Iterator[None]:
    """Postgres killed; or SQLite's only right to write taken, as by a program that hangs."""
    if on_server(service):
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
def test_the_database_and_then_every_process_away_for_longer_than_a_lease(
    service: Service, request: pytest.FixtureRequest, seconds: float
) -> None:
    """A database that is gone; on a server also one that hangs; then a paused machine."""
    before = pids(service)
    job_id = service.submit()
    training = service.further(job_id)
    training()
    with ExitStack() as stream:
        events = stream.enter_context(service.stack.client.stream("GET", f"/api/v1/jobs/{job_id}/events", timeout=None))
        with database_away(service, request):
            away_until = time.monotonic() + seconds
            answers = [service.stack.client.post(f"/api/v1/jobs/{job_id}/cancel")]
            if on_server(service):  # SQLite's readers need nobody's leave
                wait_until(lambda: service.stack.client.get("/readyz").status_code == 503, 20, "readyz notices")
                answers += [service.stack.client.get(path) for path in ("/api/v1/jobs", "/readyz")]
                assert "colt_database_up 0.0" in service.stack.client.get("/metrics").text
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert answer.headers["content-type"] == "application/problem+json"
                assert float(answer.headers["retry-after"]) > 0
            assert service.stack.client.get("/healthz").status_code == 200
            time.sleep(max(0.0, away_until - time.monotonic()))
        service.stack.wait_ready()
        if on_server(service):
            training()
            hang(request.getfixturevalue("postgres"))
            service.stack.wait_ready()
        pause_everyone(service, training())
        service.assert_as_undisturbed(job_id)
        service.assert_attempts(job_id, 1)  # neither lost its lease nor started again
        told = "\n".join(events.iter_lines())  # the stream outlived the outage, and ended by itself
    assert "event: end" in told and '"status":"succeeded"' in told.replace(" ", "")
    assert pids(service) == before


def hang(postgres: Postgres) -> None:
    """Connections stay, and say nothing."""
    postgres.send(signal.SIGSTOP)
    try:
        time.sleep(LONGER_THAN_A_LEASE)
    finally:
        postgres.send(signal.SIGCONT)


def pause_everyone(service: Service, trainer: psutil.Process) -> None:
    """As by SIGSTOP, or a frozen container: nobody renewed a lease meanwhile, and nobody takes
    another's."""
    everyone = [psutil.Process(pid) for pid in pids(service)]
    everyone += [child for process in everyone for child in process.children(recursive=True)]
    assert trainer in everyone
    for process in everyone:
        process.suspend()
    time.sleep(LONGER_THAN_A_LEASE)
    for process in everyone:
        process.resume()


@on_servers
@away_for
def test_a_broker_that_hangs_and_is_away_and_fails_and_is_emptied(
    service: Service, redis_server: Redis, seconds: float
) -> None:
    """One after the other. At each, a job begins to wait; the one before it trains, or has done so
    already."""
    before = pids(service)
    in_hang = submitted_while_it_hangs(service, redis_server)
    service.wait_status(in_hang, "running", "succeeded")
    in_absence = submitted_while_it_is_away(service, redis_server, seconds, running=in_hang)
    service.wait_status(in_absence, "running", "succeeded")
    in_failure = submitted_while_it_answers_with_errors(service)
    service.wait_status(in_failure, "running", "succeeded")
    # Of the registrations, one waits behind those that the workers have begun.
    waiting = [post(service.stack, "datasets", DATASET) for _ in range(len(service.stack.workers) + 1)]
    with redis.Redis.from_url(service.stack.env["COLT_BROKER_URL"]) as client:
        assert client.flushall()
    later = service.submit()
    for job_id in (in_hang, in_absence, in_failure, later):
        service.assert_as_undisturbed(job_id)
        service.assert_attempts(job_id, 1)
    for dataset_id in waiting:
        assert wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")["status"] == "ready"
    assert pids(service) == before


def submitted_while_it_hangs(service: Service, redis_server: Redis) -> str:
    """That delays neither requests nor heartbeats."""
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
    return job_id


def submitted_while_it_is_away(service: Service, redis_server: Redis, seconds: float, running: str) -> str:
    redis_server.stop()
    try:
        job_id = service.submit()
        time.sleep(seconds)
        assert service.job(running)["status"] in {"running", "succeeded"}
        answer = service.stack.client.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (503, ["broker"])
        assert service.stack.client.get("/healthz").status_code == 200
    finally:
        redis_server.start()
    service.stack.wait_ready()
    return job_id


def submitted_while_it_answers_with_errors(service: Service) -> str:
    """Read-only, as while another server takes over: busy workers go on to take what waits, and
    idle ones live."""
    with redis.Redis.from_url(service.stack.env["COLT_BROKER_URL"]) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        try:
            job_id = service.submit()
            time.sleep(LONGER_THAN_A_LEASE)
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
    return job_id


def beats(service: Service) -> float:
    """When any of the workers last beat."""
    with engine_of(service.stack) as engine, reading(engine) as session:
        last = session.scalar(select(func.max(Worker.heartbeat_at)))
        assert last is not None
        return last.timestamp()
