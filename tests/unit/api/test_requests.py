"""The id of a request, and its log lines."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from store.logs import JsonFormatter
from store.repositories import jobs
from tests.support.problems import problem
from tests.support.results import Rows

API = "/api/v1"


def lines_of(caplog: pytest.LogCaptureFixture, logger: str = "api.http.requests") -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == logger]


@pytest.mark.parametrize("given", ["7", "0af7651916cd43dd8448eb211c80319c", "job:retry-2.a_b", "x" * 128])
def test_a_well_formed_id_is_taken_over(client: TestClient, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "-a", 'a"b', "a\tb", "<b>", "é".encode()])
def test_any_other_is_replaced(client: TestClient, given: str | bytes) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert answered != given and len(answered) == 32 and int(answered, 16) >= 0


def test_two_requests_have_two_ids(client: TestClient) -> None:
    assert len({client.get("/healthz").headers["x-request-id"] for _ in range(2)}) == 2


def test_every_answer_has_one(client: TestClient) -> None:
    sent = {"X-Request-ID": "mine"}
    answers = [
        client.get(f"{API}/nothing", headers=sent),
        client.get(f"{API}/jobs?limit=0", headers=sent),
        client.get("/healthz", headers={**sent, "Host": "evil.example"}),
        client.post(f"{API}/jobs", headers=sent, json={}),
    ]
    assert [answer.status_code for answer in answers] == [404, 422, 400, 422]
    assert {answer.headers["x-request-id"] for answer in answers} == {"mine"}


def test_writes_and_failures_are_lines_with_ids(
    client: TestClient, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    job = rows.job(status="queued")
    client.post(f"{API}/jobs/{job.id}/cancel", headers={"X-Request-ID": "mine"})
    client.get(f"{API}/jobs/{job.id}")  # reading, as a dashboard does every second, is none
    client.get(f"{API}/jobs/missing")
    cancelled, missing = lines_of(caplog)
    assert cancelled.getMessage() == "POST /api/v1/jobs/{job_id}/cancel"
    assert (vars(cancelled)["job_id"], vars(cancelled)["status"]) == (job.id, 202)
    assert (vars(missing)["job_id"], vars(missing)["status"]) == ("missing", 404)


def test_lines_from_within_a_request_name_it(
    client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    formatted: list[str] = []
    caplog.handler.setFormatter(JsonFormatter({}))
    monkeypatch.setattr(caplog.handler, "emit", lambda record: formatted.append(caplog.handler.format(record)))

    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(jobs, "page", away)
    problem(client.get(f"{API}/jobs", headers={"X-Request-ID": "mine"}), 503)
    told = [line for line in formatted if "the database does not answer" in line]
    assert told and all('"request_id": "mine"' in line for line in told)


def test_a_bug_is_logged_with_the_id_counted_and_answered_with_every_header(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    def counted() -> float:
        series = 'colt_http_requests_total{method="GET",route="/api/v1/jobs",status="500"}'
        return sum(
            float(line.split()[-1]) for line in client.get("/metrics").text.splitlines() if line.startswith(series)
        )

    before = counted()
    monkeypatch.setattr(jobs, "page", broken)
    answer = client.get(f"{API}/jobs", headers={"X-Request-ID": "mine"})
    problem(answer, 500)
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert counted() == before + 1
    (record,) = lines_of(caplog, "api.http.errors")
    assert record.exc_info is not None and isinstance(record.exc_info[1], RuntimeError)
