"""Live events, from a real server over real connections."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

import api.access.auth
import api.jobs.feed
import store.database
from store.database import get_engine, writing
from store.models import Job, JobEvent
from store.repositories import jobs, tokens
from tests.support.problems import problem
from tests.support.results import Rows
from tests.support.serving import serving
from tests.support.settings import forget_settings

API = "/api/v1"
Told = tuple[str | None, str, dict[str, Any]]  # id, event, data


def told(response: httpx.Response) -> Iterator[Told]:
    """The events of a stream, one by one as they arrive."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields.get("id"), fields["event"], json.loads(fields["data"])
            fields = {}


def finish(job: Job) -> None:
    with writing() as session:
        assert jobs.transition(session, job.id, {"running"}, "succeeded")


def test_a_finished_job_in_events_from_the_first_event_to_the_end(server: httpx.Client, rows: Rows) -> None:
    job = rows.job()
    rows.event(job, "metric", name="loss", value=1.5)
    rows.event(job, "status", status="succeeded")
    rows.event(rows.job(), "log", lines=["another job's"])
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = list(told(response))
    assert [(kind, data) for _, kind, data in events] == [
        ("status", {"status": "queued"}),
        ("metric", {"name": "loss", "value": 1.5}),
        ("status", {"status": "succeeded"}),
        ("end", {"status": "succeeded"}),
    ]
    ids = [int(number) for number, kind, _ in events if number is not None and kind != "end"]
    assert ids == sorted(set(ids))
    assert events[-1][0] is None  # so that a client still resumes from the last real event
    with server.stream("GET", f"{API}/jobs/{job.id}/events", headers={"Last-Event-ID": str(ids[1])}) as response:
        assert [kind for _, kind, _ in told(response)] == ["status", "end"]


def test_a_job_names_the_event_from_which_its_stream_goes_on(server: httpx.Client, rows: Rows) -> None:
    job = rows.job(status="running")
    rows.event(job, "log", lines=["old"])
    last = server.get(f"{API}/jobs/{job.id}").json()["last_event_id"]
    rows.event(job, "log", lines=["new", "newer"])
    finish(job)
    with server.stream("GET", f"{API}/jobs/{job.id}/events", headers={"Last-Event-ID": str(last)}) as response:
        assert [data for _, kind, data in told(response) if kind == "log"] == [{"lines": ["new", "newer"]}]

    def log(**asked: int) -> list[str]:
        answer = server.get(f"{API}/jobs/{job.id}/log", params=asked)
        assert answer.headers["content-type"].startswith("text/plain")
        lines = [line.split(" ", 1) for line in answer.text.splitlines()]
        assert all(dt.datetime.fromisoformat(time).tzinfo is not None for time, _ in lines)
        return [line for _, line in lines]

    assert log() == ["old", "new", "newer"]
    assert log(last=2) == ["new", "newer"]
    assert log(last=1) == ["newer"]
    assert log(after_event=last) == ["new", "newer"]
    assert log(after_event=2**62) == []
    problem(server.get(f"{API}/jobs/none/log"), 404)


def test_without_following_a_running_job_is_told_so_far(server: httpx.Client, rows: Rows) -> None:
    job = rows.job(status="running")
    with writing() as session:
        session.add_all(JobEvent(job_id=job.id, kind="log", data={"n": n}) for n in range(600))
    with server.stream("GET", f"{API}/jobs/{job.id}/events", params={"follow": False}) as response:
        events = list(told(response))
    assert [data["n"] for _, kind, data in events if kind == "log"] == list(range(600))
    assert events[-1][1:] == ("end", {"status": "running"})


def test_a_long_history_comes_whole_and_in_order(server: httpx.Client, rows: Rows) -> None:
    job = rows.job()
    with writing() as session:
        session.add_all(JobEvent(job_id=job.id, kind="log", data={"n": n}) for n in range(1700))
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        numbers = [data["n"] for _, kind, data in told(response) if kind == "log"]
    assert numbers == list(range(1700))


def test_events_arrive_while_the_job_runs(server: httpx.Client, rows: Rows) -> None:
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        events = told(response)
        assert next(events)[1:] == ("status", {"status": "queued"})
        rows.event(job, "progress", epoch=1)
        began = time.monotonic()
        assert next(events)[1:] == ("progress", {"epoch": 1})
        assert time.monotonic() - began < 5
        finish(job)
        assert [kind for _, kind, _ in events] == ["status", "end"]


def test_a_deleted_job_ends_its_streams(server: httpx.Client, rows: Rows) -> None:
    job = rows.job(status="queued")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        events = told(response)
        next(events)
        assert server.delete(f"{API}/jobs/{job.id}").status_code == 204
        assert next(events)[1:] == ("end", {"status": "deleted"})


def test_open_streams_hold_no_session(home: Path, app: FastAPI, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.database, "POOL_SIZE", 1)
    get_engine().dispose()
    forget_settings()
    monkeypatch.setattr(get_engine().pool, "_max_overflow", 2)  # three connections for all
    job = rows.job(status="running")
    with ExitStack() as opened, serving(app) as server:
        streams = []
        for _ in range(30):
            response = opened.enter_context(server.stream("GET", f"{API}/jobs/{job.id}/events"))
            assert response.status_code == 200
            events = told(response)
            assert next(events)[1] == "status"
            streams.append(events)
        assert server.get(f"{API}/jobs").json()["items"][0]["id"] == job.id
        assert get_engine().pool.checkedout() <= 1  # type: ignore[attr-defined]  # the poller's, at most
        rows.event(job, "log", lines=["hello"])
        assert {next(events)[1] for events in streams} == {"log"}
        finish(job)
        for events in streams:
            assert [kind for _, kind, _ in events] == ["status", "end"]


def test_the_poller_rests_when_nobody_listens(server: httpx.Client, app: FastAPI, rows: Rows) -> None:
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        next(told(response))
        assert not app.state.feed.resting
    wait_for(lambda: app.state.feed.resting)


def test_the_server_stops_in_spite_of_open_streams(home: Path, app: FastAPI, rows: Rows) -> None:
    job = rows.job(status="running")
    with ExitStack() as opened:
        with serving(app) as server:
            response = opened.enter_context(server.stream("GET", f"{API}/jobs/{job.id}/events"))
            next(told(response))
            began = time.monotonic()
        assert time.monotonic() - began < 10


def test_a_database_that_was_away_for_a_moment_costs_no_event(
    server: httpx.Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        events = told(response)
        next(events)
        failures = iter([True, True])
        read = api.jobs.feed._read

        def flaky(places: Any) -> Any:
            if next(failures, False):
                raise ConnectionError("away")
            return read(places)

        monkeypatch.setattr(api.jobs.feed, "_read", flaky)
        rows.event(job, "log", lines=["after"])
        assert next(events)[1] == "log"
        assert next(failures, None) is None
        with writing() as session:
            session.execute(update(Job).where(Job.id == job.id).values(status="failed"))
        assert next(events)[1:] == ("end", {"status": "failed"})


def assert_broken_off(lines: Iterator[str]) -> None:
    # Without an `end`, as the job continues, and before a silence so long that a ping is due.
    assert not any(line.startswith(("event: end", ": ping")) for line in lines)


def test_a_stream_ends_with_its_token(server: httpx.Client, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.jobs.feed, "CHECK_SECONDS", 0.05)
    job = rows.job(status="running")
    with writing() as session:
        token, kept = (tokens.create_token(session, "test", ["read"]) for _ in range(2))
    with ExitStack() as opened:
        stream, other = (
            opened.enter_context(
                server.stream("GET", f"{API}/jobs/{job.id}/events", headers={"Authorization": f"Bearer {value}"})
            )
            for value in (token, kept)
        )
        lines, others = stream.iter_lines(), told(other)
        assert any(line.startswith("event: status") for line in lines)
        next(others)
        with writing() as session:
            revoked = tokens.find(session, token)
            assert revoked is not None and tokens.revoke(session, revoked.id)
        assert_broken_off(lines)
        rows.event(job, "log", lines=["still here"])
        assert next(others)[1] == "log"


def test_a_stream_from_before_there_was_a_token_ends(
    server: httpx.Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.jobs.feed, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(api.access.auth, "_OPEN_SECONDS", 3600.0)  # of single requests
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as stream:
        lines = stream.iter_lines()
        assert any(line.startswith("event: status") for line in lines)
        with writing() as session:
            tokens.create_token(session, "test", ["read"])
        assert_broken_off(lines)


def test_a_stream_outlives_a_database_that_cannot_tell_of_its_token(
    server: httpx.Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.jobs.feed, "CHECK_SECONDS", 0.05)
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events") as response:
        events = told(response)
        next(events)
        asked = threading.Event()

        def away(*_: object) -> bool:
            asked.set()
            raise OperationalError("SELECT", {}, Exception("gone"))

        monkeypatch.setattr(tokens, "is_closed", away)
        assert asked.wait(10)
        rows.event(job, "log", lines=["after"])
        assert next(events)[1] == "log"


def test_a_missing_job_has_no_stream(server: httpx.Client) -> None:
    problem(server.get(f"{API}/jobs/nothing/events"), 404)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
