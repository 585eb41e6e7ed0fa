"""The values at `/metrics`."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.health import metrics
from store.database import get_engine, writing
from store.models import Checkpoint, Evaluation, Job, Worker, utc_now
from store.repositories import attempts
from store.statuses import AttemptOutcome
from tests.conftest import database_url
from tests.support.results import Rows

__all__ = ["database_url"]  # on each engine in turn


def numbers(client: TestClient) -> dict[str, float]:
    """The value of each series."""
    lines = [line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def test_queues_registrations_attempts_and_workers(client: TestClient, rows: Rows) -> None:
    now = utc_now()
    dataset = rows.dataset()
    rows.dataset(status="failed")
    rows.pool(status="registering")
    old = now - dt.timedelta(days=3)
    for minutes in (5, 1):  # resumed: they wait since then, not since they were made
        queued_at = now - dt.timedelta(minutes=minutes)
        rows.job(dataset, status="queued", created_at=old, queued_at=queued_at)
    rows.job(dataset, status="queued", lease_token="held", created_at=old)
    done = rows.job(dataset, status="succeeded")
    with writing() as session:
        row = session.get_one(Job, done.id)
        for how in (AttemptOutcome.WORKER_LOST, AttemptOutcome.SUCCEEDED):
            attempts.begin(session, done.id, "w")
            attempts.end(session, row, how)
        attempts.begin(session, done.id, "w")
        session.add(Checkpoint(id="c", job_id=done.id, epoch=1, step=1, artifact="a", bytes=1, sha256="s"))
        session.flush()
        session.add(Evaluation(job_id=done.id, checkpoint_id="c", kind="knn", config={}, epoch=1, created_at=old))
        session.add(Worker(id="live", heartbeat_at=now))
        session.add(Worker(id="silent", heartbeat_at=now - dt.timedelta(minutes=10)))
    found = numbers(client)
    assert found["colt_database_up"] == 1
    assert found['colt_jobs{status="queued"}'] == 3
    assert found['colt_queue_length{kind="job"}'] == 2
    assert found['colt_queue_age_seconds{kind="job"}'] == pytest.approx(300, abs=20)
    assert found['colt_queue_length{kind="evaluation"}'] == 1
    assert found['colt_queue_age_seconds{kind="evaluation"}'] == pytest.approx(3 * 86_400, abs=20)
    assert (found['colt_queue_length{kind="analysis"}'], found['colt_queue_age_seconds{kind="analysis"}']) == (0, 0)
    assert found['colt_queue_length{kind="ood_pool"}'] == 1
    assert found['colt_registrations{kind="dataset",status="ready"}'] == 1
    assert found['colt_registrations{kind="dataset",status="failed"}'] == 1
    assert found['colt_registrations{kind="ood_pool",status="registering"}'] == 1
    assert found['colt_job_attempts{outcome="worker_lost"}'] == 1
    assert found['colt_job_attempts{outcome="succeeded"}'] == 1
    assert found['colt_job_attempts{outcome="shut_down"}'] == 0
    assert found["colt_workers_live"] == 1


def test_a_job_that_is_resumed_waits_from_then_on(client: TestClient, rows: Rows) -> None:
    old = utc_now() - dt.timedelta(days=3)
    job = rows.job(status="cancelled", created_at=old, queued_at=old)
    assert client.post(f"/api/v1/jobs/{job.id}/resume").status_code == 202
    assert numbers(client)['colt_queue_age_seconds{kind="job"}'] < 60


def test_errors_of_the_database_are_counted(client: TestClient, rows: Rows) -> None:
    series = 'colt_database_errors_total{error="IntegrityError"}'
    before = numbers(client).get(series, 0)
    with pytest.raises(IntegrityError), writing() as session:
        session.execute(text("INSERT INTO api_tokens (id) VALUES ('x')"))
    assert numbers(client)[series] == before + 1


def test_without_a_database_the_other_numbers_are_still_there(client: TestClient, rows: Rows) -> None:
    client.get("/api/v1/jobs")
    with get_engine().begin() as connection:
        connection.execute(text("DROP TABLE workers"))
    found = numbers(client)
    assert found["colt_database_up"] == 0
    assert not any(series.startswith(("colt_jobs", "colt_queue", "colt_workers")) for series in found)
    assert found['colt_http_requests_total{method="GET",route="/api/v1/jobs",status="200"}'] >= 1
    assert found['colt_http_request_seconds_count{method="GET",route="/api/v1/jobs"}'] >= 1


def test_many_who_scrape_at_once_cost_as_much_as_one(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, real = [0], threading.Event(), metrics.exposition

    def counted() -> tuple[bytes, str]:
        begun[0] += 1
        assert may_end.wait(30)
        return real()

    monkeypatch.setattr(metrics, "exposition", counted)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(server.get, "/metrics") for _ in range(20)]
        with pytest.raises(httpx.ReadTimeout):  # one that leaves ends nothing for the others
            server.get("/metrics", timeout=httpx.Timeout(20, read=1))
        may_end.set()
        answers = [answer.result() for answer in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert begun == [1]
    assert "colt_jobs" in server.get("/metrics").text
    assert begun == [2]
