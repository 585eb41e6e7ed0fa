"""The timeline of a job's attempts, written with the change of state itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from store import leases
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Dataset, Job, JobAttempt
from store.repositories import attempts, jobs
from tests.support.rows import add_dataset, add_job
from worker import outcome
from worker.claiming import take
from worker.reconciler import LOST, recover

End = Callable[[Session, Lease], str]


@pytest.fixture
def job(configured: Engine) -> Job:
    return add_job(configured, add_dataset(configured, status="ready"))


def claim(worker: str = "w") -> Lease:
    lease = take(Job, worker)
    assert lease is not None
    return lease


def timeline(engine: Engine) -> list[JobAttempt]:
    with reading(engine) as session:
        return list(session.scalars(select(JobAttempt).order_by(JobAttempt.number)))


def test_a_claim_begins_an_attempt(configured: Engine, job: Job) -> None:
    claim("host-1")
    (attempt,) = timeline(configured)
    assert (attempt.job_id, attempt.number, attempt.worker_id) == (job.id, 1, "host-1")
    assert (attempt.ended_at, attempt.outcome, attempt.from_step, attempt.step) == (None, None, None, None)


@pytest.mark.parametrize(
    ("end", "status", "how", "reason"),
    [
        (outcome.succeeded, "succeeded", "succeeded", None),
        (lambda session, lease: outcome.failed(session, lease, "nan"), "failed", "failed", "nan"),
        (lambda session, lease: outcome.faulted(session, lease, "no memory", 3), "queued", "failed", "no memory"),
        (lambda session, lease: outcome.faulted(session, lease, "no memory", 1), "failed", "failed", "no memory"),
        (lambda session, lease: outcome.lost(session, lease, LOST, 3), "queued", "worker_lost", LOST),
        (outcome.interrupted, "queued", "shut_down", "Its worker was stopped"),
    ],
)
def test_it_says_how_it_ended(
    configured: Engine, job: Job, end: End, status: str, how: str, reason: str | None
) -> None:
    lease = claim()
    with writing(configured) as session:
        attempts.goes_on_from(session, job.id, 2, 20)
        leases.write(session, lease, epoch=3, step=31)
    with writing(configured) as session:
        assert end(session, lease) == status
    (attempt,) = timeline(configured)
    assert (attempt.outcome, attempt.reason) == (how, reason)
    assert (attempt.from_epoch, attempt.from_step, attempt.epoch, attempt.step) == (2, 20, 3, 31)
    assert attempt.ended_at is not None and attempt.ended_at >= attempt.started_at


@pytest.mark.parametrize(
    ("end", "how"),
    [(outcome.interrupted, "cancelled"), (lambda session, lease: outcome.lost(session, lease, LOST, 3), "worker_lost")],
)
def test_a_cancelled_job_ends_as_it_was_asked_to_its_attempt_as_it_did(
    configured: Engine, job: Job, end: End, how: str
) -> None:
    lease = claim()
    with writing(configured) as session:
        session.execute(update(Job).values(status="cancelling"))
        assert end(session, lease) == "cancelled"
    assert [attempt.outcome for attempt in timeline(configured)] == [how]


def test_numbers_count_on_over_lost_workers_stops_and_resumes(configured: Engine, job: Job) -> None:
    claim("silent")
    with writing(configured) as session:
        session.execute(update(Job).values(lease_expires_at=job.created_at))
        recover(session)
    lease = claim("stopped")
    with writing(configured) as session:
        outcome.interrupted(session, lease)
    lease = claim("failing")
    with writing(configured) as session:
        outcome.failed(session, lease, "nan")
    with writing(configured) as session:
        assert jobs.transition(session, job.id, {"failed"}, "queued", attempts=0)
    claim("last")
    told = [(attempt.number, attempt.worker_id, attempt.outcome) for attempt in timeline(configured)]
    assert told == [
        (1, "silent", "worker_lost"),
        (2, "stopped", "shut_down"),
        (3, "failing", "failed"),
        (4, "last", None),
    ]
    with reading(configured) as session:
        assert attempts.counts_by_outcome(session) == {"worker_lost": 1, "shut_down": 1, "failed": 1}


def test_whoever_lost_the_job_ends_no_attempt(configured: Engine, job: Job) -> None:
    late = claim("paused")
    with writing(configured) as session:
        session.execute(update(Job).values(lease_expires_at=job.created_at))
        recover(session)
    claim("next")
    with pytest.raises(LeaseLost), writing(configured) as session:
        outcome.succeeded(session, late)
    assert [attempt.outcome for attempt in timeline(configured)] == ["worker_lost", None]


def test_attempts_go_with_their_job_and_registrations_have_none(configured: Engine, job: Job) -> None:
    lease = claim()
    with writing(configured) as session:
        outcome.failed(session, lease, "nan")
    add_dataset(configured)
    registration = take(Dataset, "w")
    assert registration is not None
    with writing(configured) as session:
        outcome.faulted(session, registration, "no memory", 3)
    assert len(timeline(configured)) == 1
    with writing(configured) as session:
        assert jobs.remove(session, job.id)
    assert timeline(configured) == []
