"""The webhook: a real receiver gets the news of every end, signed, at least once."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from store import leases
from store.database import reading, writing
from store.models import Delivery, Experiment, ExperimentArm, ExperimentRun, Job, SendingLease, utc_now
from store.repositories import deliveries, jobs
from store.settings import get_settings
from store.statuses import WorkStatus
from tests.support.processes import REPOSITORY, wait_until
from tests.support.receiver import Got, Receiver, receiving
from tests.support.rows import add_dataset, add_job
from tests.support.settings import forget_settings
from worker import outcome
from worker.folder import WorkerFolder
from worker.sender import ReceiverAway, Sender
from worker.sweeper import Sweeper
from worker.webhook import LARGEST_ANSWER, Webhook

SECRET = "0123456789abcdef-secret"


@pytest.fixture
def receiver(configured: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv("COLT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("COLT_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("COLT_WEBHOOK_ALLOW_PRIVATE", "true")
        monkeypatch.setenv("COLT_PUBLIC_URL", "https://colt.example.org/")
        forget_settings()
        yield receiver


@pytest.fixture
def sender(receiver: Receiver, home: Path) -> Sender:
    return new_sender(home)


def new_sender(home: Path) -> Sender:
    return Sender(WorkerFolder(home, "me"), Webhook(get_settings()))


def run_and(engine: Engine, ends: Callable[..., str], *reasons: str, **values: Any) -> Job:
    """A job that has run and ended."""
    dataset = add_dataset(engine, status="ready")
    job = add_job(engine, dataset, **values)
    with writing() as session:
        lease = leases.claim(session, Job, "me", 60)
        assert lease is not None and lease.id == job.id
    with writing() as session:
        ends(session, lease, *reasons)
    return job


def is_due_again() -> None:
    """Let the pauses between attempts pass."""
    with writing() as session:
        session.execute(update(Delivery).where(Delivery.retry_at.is_not(None)).values(retry_at=utc_now()))


def is_genuine(got: Got, secret: str = SECRET) -> bool:
    """As docs/operate.md says to find out."""
    page = (REPOSITORY / "docs" / "operate.md").read_text("utf-8")
    snippet = next(code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "is_genuine" in code)
    names: dict[str, Any] = {}
    exec(snippet, names)
    return bool(names["is_genuine"](got.headers, got.body, secret))


def test_a_job_that_failed_is_told_of_and_signed(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    job = run_and(configured, outcome.failed, "the loss is nan", name="mine")
    sender.once()
    (got,) = receiver.got
    assert (got.path, got.headers["Content-Type"]) == ("/hook", "application/json")
    created_at = got.told.pop("created_at")
    assert dt.datetime.fromisoformat(created_at).tzinfo is not None
    assert got.told | {"created_at": None} == {
        "event": "job.failed",
        "created_at": None,
        "id": job.id,
        "name": "mine",
        "status": "failed",
        "error": "the loss is nan",
        "urls": {
            "api": f"https://colt.example.org/api/v1/jobs/{job.id}",
            "dashboard": f"https://colt.example.org/jobs/{job.id}",
        },
    }
    assert is_genuine(got)
    assert not is_genuine(got, "another secret of the same kind")
    assert not is_genuine(Got(got.path, got.headers, got.body.replace(b"failed", b"passed")))
    assert not is_genuine(Got(got.path, {**got.headers, "Colt-Timestamp": "1700000000"}, got.body))
    sender.once()
    assert len(receiver.got) == 1


def test_a_job_that_goes_on_is_not_told_of(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    run_and(configured, outcome.interrupted)
    sender.once()
    assert receiver.got == []


def test_waiting_jobs_that_are_cancelled_are_told_of(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    dataset = add_dataset(configured, status="ready")
    waiting = [add_job(configured, dataset) for _ in range(2)]
    with writing() as session:
        jobs.cancel_many(session, jobs.JobFilter(), [job.id for job in waiting], None)
    sender.once()
    assert {got.told["id"]: got.told["event"] for got in receiver.got} == {job.id: "job.cancelled" for job in waiting}


def test_it_comes_again_with_the_same_id_until_it_is_taken(
    configured: Engine, receiver: Receiver, sender: Sender, home: Path
) -> None:
    run_and(configured, outcome.succeeded)
    receiver.status = 500
    pauses = []
    for _ in range(3):
        is_due_again()
        with pytest.raises(ReceiverAway, match="it answers 500"):
            sender.once()
        with reading() as session:
            retry_at = session.scalars(select(Delivery.retry_at)).one()
        assert retry_at is not None
        pauses.append((retry_at - utc_now()).total_seconds())
    assert pauses[0] < pauses[1] < pauses[2]
    sender.once()  # not before the pause is over
    assert len(receiver.got) == 3
    is_due_again()
    receiver.status = 200
    with writing() as session:  # the worker was killed and another one takes its place
        session.execute(update(SendingLease).values(expires_at=utc_now()))
    new_sender(home).once()
    assert len(receiver.got) == 4 and len({got.headers["Colt-Delivery"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1 and all(map(is_genuine, receiver.got))
    is_due_again()
    new_sender(home).once()
    assert len(receiver.got) == 4


def test_it_is_given_up_after_a_day_and_forgotten_after_a_week(
    configured: Engine, receiver: Receiver, sender: Sender, home: Path
) -> None:
    run_and(configured, outcome.succeeded)
    receiver.status = 410
    with writing() as session:
        session.execute(update(Delivery).values(created_at=utc_now() - deliveries.GIVE_UP_AFTER))
    with pytest.raises(ReceiverAway):
        sender.once()
    is_due_again()
    sender.once()
    assert len(receiver.got) == 1
    with writing() as session:
        session.execute(update(Delivery).values(created_at=utc_now() - deliveries.KEEP))
    Sweeper(WorkerFolder(home, "me")).once()
    with reading() as session:
        assert session.scalars(select(Delivery)).all() == []


def test_redirects_are_not_followed(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    run_and(configured, outcome.succeeded)
    with receiving() as other:
        receiver.status, receiver.headers = 302, {"Location": other.url}
        with pytest.raises(ReceiverAway, match="it answers 302"):
            sender.once()
        assert other.got == []


def test_a_large_answer_is_an_answer(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    run_and(configured, outcome.succeeded)
    receiver.status, receiver.body = 200, b"x" * 1000 * LARGEST_ANSWER
    sender.once()
    assert len(receiver.got) == 1


def test_a_private_address_gets_nothing_unless_it_is_allowed(
    configured: Engine, receiver: Receiver, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and(configured, outcome.succeeded)
    monkeypatch.setenv("COLT_WEBHOOK_ALLOW_PRIVATE", "false")
    forget_settings()
    with pytest.raises(ReceiverAway, match="private network"):
        new_sender(home).once()
    assert receiver.got == []


def test_without_a_webhook_nothing_is_kept(configured: Engine) -> None:
    run_and(configured, outcome.succeeded)
    with reading() as session:
        assert session.scalars(select(Delivery)).all() == []


def test_a_worker_sends_beside_its_work_and_logs_no_secret(
    configured: Engine, receiver: Receiver, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.status = 500
    run_and(configured, outcome.succeeded)
    folder = WorkerFolder(home, "me")
    thread = Thread(target=Sender(folder, Webhook(get_settings())).run)
    thread.start()
    wait_until(lambda: "webhook: it answers 500" in caplog.text, 30, "the outage is in the log")
    folder.stopping = True
    thread.join(30)
    assert not thread.is_alive()
    assert SECRET not in caplog.text and receiver.url not in caplog.text
    with reading() as session:  # another worker need not wait
        assert session.scalars(select(SendingLease)).all() == []


def test_an_experiment_is_told_of_once_when_its_last_job_ends(
    configured: Engine, receiver: Receiver, sender: Sender
) -> None:
    dataset = add_dataset(configured, status="ready")
    runs = [add_job(configured, dataset) for _ in range(3)]
    with writing() as session:
        config: dict[str, Any] = {}
        experiment = Experiment(name="does it help", dataset_ids=[dataset.id], seeds=[0, 1, 2], evaluations=[])
        experiment.baseline = "a"
        session.add(experiment)
        session.flush()
        session.add(ExperimentArm(experiment_id=experiment.id, position=0, name="a", config=config))
        session.flush()
        session.add_all(
            ExperimentRun(experiment_id=experiment.id, arm=0, dataset_id=dataset.id, seed=seed, job_id=job.id)
            for seed, job in enumerate(runs)
        )
    held = []
    for _ in runs:
        with writing() as session:
            held.append(leases.claim(session, Job, "me", 60))
    with writing() as session:
        assert held[0] is not None
        outcome.failed(session, held[0], "no memory")
    sender.once()
    assert [got.told["event"] for got in receiver.got] == ["job.failed"]
    for lease in held[1:]:  # both end before the worker looks
        assert lease is not None
        with writing() as session:
            outcome.succeeded(session, lease)
    sender.once()
    sender.once()
    told = [got.told for got in receiver.got]
    assert sorted(one["event"] for one in told[1:]) == ["experiment.failed", "job.succeeded", "job.succeeded"]
    (of_it,) = [one for one in told if one["event"].startswith("experiment")]
    assert (of_it["id"], of_it["name"], of_it["error"]) == (experiment.id, "does it help", "1 of 3 runs failed")
    assert of_it["urls"]["api"].endswith(f"/api/v1/experiments/{experiment.id}")

    with writing() as session:  # one is resumed, and ends again
        assert jobs.transition(session, runs[0].id, {WorkStatus.FAILED}, WorkStatus.QUEUED)
    with writing() as session:
        lease = leases.claim(session, Job, "me", 60)
    assert lease is not None
    with writing() as session:
        outcome.succeeded(session, lease)
    sender.once()
    assert sorted(got.told["event"] for got in receiver.got[4:]) == ["experiment.succeeded", "job.succeeded"]


def test_a_body_is_json_on_one_line(configured: Engine, receiver: Receiver, sender: Sender) -> None:
    run_and(configured, outcome.failed, "two\nlines", name="ü")
    sender.once()
    assert json.loads(receiver.got[0].body)["error"] == "two\nlines" and b"\n" not in receiver.got[0].body
