from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from store import leases
from store.bells import Bell
from store.database import build_engine, reading, writing
from store.leases import Lease
from store.models import Checkpoint, Dataset, Evaluation, Job, JobEvent, Worker, utc_now
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from worker.folder import WorkerFolder
from worker.reconciler import FORGET_WORKERS_AFTER, LOST, Reconciler, recover


@pytest.fixture
def reconciler(configured: Engine, home: Path) -> Reconciler:
    return Reconciler(WorkerFolder(home, "me"))


@pytest.fixture
def lost_job(configured: Engine) -> Job:
    """A job whose worker fell silent."""
    job = add_job(configured, add_dataset(configured, status="ready"))
    with writing(configured) as session:
        assert leases.claim(session, Job, "silent", -1) is not None
    return job


def bells(home: Path) -> list[str]:
    return sorted(json.loads(path.read_text())["headers"]["task"] for path in (home / "broker").glob("*.msg"))


def job_of(engine: Engine) -> Job:
    with reading(engine) as session:
        return session.scalars(select(Job)).one()


def test_a_lost_job_is_queued_again_and_rung_for(
    configured: Engine, reconciler: Reconciler, lost_job: Job, home: Path
) -> None:
    reconciler.once()
    job = job_of(configured)
    assert (job.status, job.lease_token, job.attempts, job.error) == ("queued", None, 1, None)
    assert bells(home) == [Bell.TRAIN]
    with reading(configured) as session:
        told = [(event.kind, event.data) for event in session.scalars(select(JobEvent).order_by(JobEvent.id))]
    assert told == [
        ("log", {"lines": [f"attempt 1 failed: {LOST}"]}),
        ("status", {"status": "queued"}),
    ]


def test_a_job_lost_too_often_fails_with_the_reason(
    configured: Engine, reconciler: Reconciler, lost_job: Job, home: Path
) -> None:
    with writing(configured) as session:
        session.execute(update(Job).values(faults=1))
    reconciler.once()
    job = job_of(configured)
    assert job.status == "failed" and job.error is not None and job.error.startswith(LOST)
    assert bells(home) == []


def test_a_job_that_gets_further_each_time_may_be_lost_any_number_of_times(
    configured: Engine, reconciler: Reconciler, lost_job: Job
) -> None:
    for attempt in range(1, 8):
        with writing(configured) as session:
            session.execute(update(Job).values(faults=0))  # as the recorder does with each checkpoint
        reconciler.once()
        assert (job_of(configured).status, job_of(configured).attempts) == ("queued", attempt)
        with writing(configured) as session:
            assert leases.claim(session, Job, "silent", -1) is not None


def test_a_lost_job_that_was_being_cancelled_is_cancelled(
    configured: Engine, reconciler: Reconciler, lost_job: Job
) -> None:
    with writing(configured) as session:
        session.execute(update(Job).values(status="cancelling", faults=1))
    reconciler.once()
    assert (job_of(configured).status, job_of(configured).error) == ("cancelled", None)


def test_a_job_that_is_held_is_left_alone(configured: Engine, reconciler: Reconciler, home: Path) -> None:
    add_job(configured, add_dataset(configured, status="ready"))
    with writing(configured) as session:
        lease = leases.claim(session, Job, "busy", 60)
    reconciler.once()
    assert lease is not None and job_of(configured).lease_token == lease.token
    assert bells(home) == []


def test_a_lost_registration_waits_again_then_fails_without_files(
    configured: Engine, reconciler: Reconciler, home: Path
) -> None:
    dataset = add_dataset(configured)
    files = home / "artifacts" / dataset.folder
    (files / "anothers").mkdir(parents=True)
    for status in ("registering", "failed"):
        with writing(configured) as session:
            lease = leases.claim(session, Dataset, "silent", -1)
        assert lease is not None
        (files / lease.token).mkdir()
        reconciler.once()
        assert not (files / lease.token).exists()
        assert (files / "anothers").exists() == (status == "registering")
        with reading(configured) as session:
            row = session.get_one(Dataset, dataset.id)
        assert (row.status, row.lease_token) == (status, None)
    assert row.problem is not None and row.problem["detail"].startswith(LOST)
    assert not files.exists()
    assert bells(home) == [Bell.PREPARE]


def test_a_lost_evaluation_waits_again(configured: Engine, reconciler: Reconciler, home: Path) -> None:
    job = add_job(configured, add_dataset(configured, status="ready"), status="succeeded")
    checkpoint = Checkpoint(id="c", job_id=job.id, epoch=1, step=1, artifact="a", bytes=1, sha256="s")
    evaluation = Evaluation(job_id=job.id, checkpoint_id="c", kind="knn", config={}, epoch=1)
    with writing(configured) as session:
        session.add(checkpoint)
        session.flush()
        session.add(evaluation)
        session.flush()
        assert leases.claim(session, Evaluation, "silent", -1) is not None
    reconciler.once()
    with reading(configured) as session:
        row = session.get_one(Evaluation, evaluation.id)
    assert (row.status, row.lease_token) == ("queued", None)
    assert bells(home) == [Bell.EXAMINE]


def test_what_was_recovered_is_not_recovered_again(configured: Engine, lost_job: Job) -> None:
    with writing(configured) as session:
        recover(session)
    with writing(configured) as session:
        recover(session)
    with reading(configured) as session:
        assert len(list(session.scalars(select(JobEvent).where(JobEvent.kind == "status")))) == 1
    with writing(configured) as session:
        assert isinstance(leases.claim(session, Job, "next", 60), Lease)


def test_the_heartbeat_moves_and_the_long_silent_are_forgotten(configured: Engine, reconciler: Reconciler) -> None:
    now = utc_now()
    with writing(configured) as session:
        session.add(Worker(id="gone", heartbeat_at=now - FORGET_WORKERS_AFTER - dt.timedelta(seconds=1)))
        session.add(Worker(id="late", heartbeat_at=now - dt.timedelta(minutes=1)))
    reconciler.once()
    with reading(configured) as session:
        first = session.get_one(Worker, "me")
    reconciler.once()
    with reading(configured) as session:
        second = session.get_one(Worker, "me")
        assert set(session.scalars(select(Worker.id))) == {"me", "late"}
    assert first.heartbeat_at < second.heartbeat_at and first.started_at == second.started_at


@pytest.mark.parametrize("how", ["a start", "an outage", "a pause", "a sleep", "a clock set back"])
def test_after_a_time_without_beats_others_may_renew_their_leases_first(
    configured: Engine, reconciler: Reconciler, lost_job: Job, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    clock, wall = [1000.0], [0.0]  # both move by the first; the second is what only the wall clock did besides
    monkeypatch.setattr("worker.reconciler.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("worker.reconciler.time.time", lambda: clock[0] + wall[0])
    reconciler = Reconciler(reconciler._folder)
    monkeypatch.setattr("worker.reconciler.time.sleep", lambda _: setattr(reconciler._folder, "stopping", True))
    if how == "a start":
        reconciler.run()
    elif how == "an outage":
        monkeypatch.setattr("worker.reconciler.writing", lambda: writing(build_engine("postgresql://x@127.0.0.1:1/x")))
        reconciler.run()
        monkeypatch.setattr("worker.reconciler.writing", writing)
    elif how == "a pause":
        clock[0] += 60
    else:  # the monotonic clock stops while a machine sleeps, and ignores when the time is set
        wall[0] += 60 if how == "a sleep" else -3600
    reconciler.once()
    assert job_of(configured).status == "running"
    clock[0] += get_settings().lease_seconds - 0.1
    reconciler.once()
    assert job_of(configured).status == "running"
    clock[0] += 0.2
    reconciler.once()
    assert job_of(configured).status == "queued"
