"""Work on checkpoints over HTTP: requesting it once or twice, cancelling and deleting it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store import leases
from store.database import reading, writing
from store.models import Checkpoint, CheckpointWork, Evaluation, Job, JobEvent, OodPool, PoolCheck, leased_models
from store.repositories import checkpoint_work
from store.statuses import WorkStatus
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.locks import start_behind
from tests.support.problems import problem
from tests.support.results import Rows

API = "/api/v1"
BODIES = {
    "evaluation": {"kind": "knn", "neighbors": 3},
    "analysis": {"kind": "tail_share", "seed": 1},
    "pool_check": {"budget": 3},
    "export": {"kind": "features", "split": "train", "format": "npz"},
}
CHANGED = {"pool_check": {"budget": 4}, "export": {"split": "test"}}  # of a body; of others the seed is
TOLD = [model for model in leased_models(CheckpointWork) if model.in_events]  # others have tests of their own
each = pytest.mark.parametrize("model", TOLD, ids=lambda model: model.noun)
Model = type[CheckpointWork]


@pytest.fixture
def checkpoint(rows: Rows) -> Checkpoint:
    return rows.checkpoint(rows.job(), 1)


@pytest.fixture
def ask(client: TestClient, checkpoint: Checkpoint) -> Callable[..., str]:
    """Requests one over HTTP. Returns its address."""

    def asked(model: Model, **body: Any) -> str:
        path = f"jobs/{checkpoint.job_id}/{model.__tablename__}"
        if issubclass(model, PoolCheck):
            named = subject(model, checkpoint)
            path = f"ood-pools/{named.pop('ood_pool_id')}/check"
            body |= {"checkpoint_id": checkpoint.id, **named}
        answer = client.post(f"{API}/{path}", json=BODIES[model.noun] | body)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["location"])

    return asked


@pytest.fixture(autouse=True)
def _pool(rows: Rows, checkpoint: Checkpoint) -> None:
    rows.pool()


def subject(model: Model, checkpoint: Checkpoint) -> dict[str, str]:
    """What else the work names."""
    if not issubclass(model, PoolCheck):
        return {}
    with reading() as session:
        job, pool = session.get_one(Job, checkpoint.job_id), session.scalars(select(OodPool)).one()
        return {"ood_pool_id": pool.id, "dataset_id": job.dataset_id}


def told(model: Model) -> list[tuple[str, str]]:
    with reading() as session:
        events = session.scalars(select(JobEvent).where(JobEvent.kind == model.noun).order_by(JobEvent.id))
        return [(event.data["id"], event.data["status"]) for event in events]


def put(model: Model, address: str, status: WorkStatus, **values: Any) -> None:
    """Bring a row into a status."""
    with writing() as session:
        row = session.get_one(model, address.rpartition("/")[2])
        row.status = status
        for name, value in values.items():
            setattr(row, name, value)


@each
def test_one_that_waits_is_cancelled_at_once(client: TestClient, ask: Callable[..., str], model: Model) -> None:
    address = ask(model)
    answer = client.post(f"{address}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (202, address)
    assert answer.json() == {"id": address.rpartition("/")[2], "status": "cancelled"}
    shown = client.get(address).json()
    assert (shown["status"], shown["error"]) == ("cancelled", None) and shown["finished_at"] is not None
    assert told(model) == [(shown["id"], "cancelled")]
    with writing() as session:
        assert leases.claim(session, model, "worker", 60) is None
    assert "only a queued or running one" in str(problem(client.post(f"{address}/cancel"), 409)["detail"])


@each
def test_one_that_runs_is_asked_to_end(client: TestClient, ask: Callable[..., str], model: Model) -> None:
    address = ask(model)
    with writing() as session:
        lease = leases.claim(session, model, "worker", 60)
    assert lease is not None
    assert "cancel it first" in str(problem(client.delete(address), 409)["detail"])
    assert client.post(f"{address}/cancel").json()["status"] == "cancelling"
    assert client.get(address).json()["status"] == "cancelling"
    assert "once it is cancelled" in str(problem(client.delete(address), 409)["detail"])
    problem(client.post(f"{address}/cancel"), 409)
    with reading() as session:
        assert leases.status(session, lease) == WorkStatus.CANCELLING
    assert told(model) == [(lease.id, "cancelling")]


@each
@pytest.mark.parametrize("status", [WorkStatus.SUCCEEDED, WorkStatus.FAILED, WorkStatus.CANCELLED])
def test_one_that_is_over_is_not_cancelled_and_can_be_deleted(
    client: TestClient, ask: Callable[..., str], model: Model, status: WorkStatus
) -> None:
    address = ask(model)
    put(model, address, status)
    assert str(status) in str(problem(client.post(f"{address}/cancel"), 409)["detail"])
    assert client.delete(address).status_code == 204
    problem(client.get(address), 404)
    assert told(model) == [(address.rpartition("/")[2], "deleted")]
    problem(client.delete(address), 404)
    problem(client.post(f"{address}/cancel"), 404)


@each
def test_one_that_waits_can_be_deleted(client: TestClient, ask: Callable[..., str], model: Model) -> None:
    address = ask(model)
    assert client.delete(address).status_code == 204
    problem(client.get(address), 404)
    with writing() as session:
        assert leases.claim(session, model, "worker", 60) is None


@each
def test_the_same_is_asked_once_unless_it_came_to_nothing(
    client: TestClient, ask: Callable[..., str], model: Model
) -> None:
    first = ask(model)
    for status in (WorkStatus.QUEUED, WorkStatus.RUNNING, WorkStatus.SUCCEEDED):
        put(model, first, status)
        assert ask(model) == first, status
    assert ask(model, **CHANGED.get(model.noun, {"seed": 7})) != first
    seen = {first}
    for status in (WorkStatus.FAILED, WorkStatus.CANCELLING, WorkStatus.CANCELLED):
        for address in seen:
            put(model, address, status)
        again = ask(model)
        assert again not in seen, status
        seen.add(again)
    assert client.delete(again).status_code == 204
    assert ask(model) not in seen


def test_a_probe_that_the_job_made_itself_is_the_answer(client: TestClient, rows: Rows) -> None:
    thresholds = {"low": 2, "high": 5}
    config = PretrainConfig.resolve({"sampler": "none", "batch_size": 4, "group_thresholds": thresholds})
    job = rows.job(config=config.model_dump(mode="json"))
    checkpoint = rows.checkpoint(job, 1)
    own = ProbeSettings(kind="linear", group_thresholds=config.group_thresholds)  # as worker/trainer.py makes it
    with writing() as session:
        row = checkpoint_work.add(session, Evaluation, checkpoint, own.model_dump(mode="json"))
        row.status, row.accuracy = WorkStatus.SUCCEEDED, 0.5
    url = f"{API}/jobs/{job.id}/evaluations"
    answer = client.post(url, json={"kind": "linear"})
    assert answer.json() == {"id": row.id, "status": "succeeded"}
    assert client.post(url, json={"kind": "linear", "seed": 1}).json()["id"] != row.id


@each
def test_two_who_ask_the_same_in_one_instant_share_it(
    service_engine: Engine, client: TestClient, checkpoint: Checkpoint, ask: Callable[..., str], model: Model
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            session.get(Job, checkpoint.job_id, with_for_update=True)
            second = start_behind(pool, service_engine, lambda: ask(model))
            config = {"kind": model.noun} | BODIES[model.noun]
            first = checkpoint_work.add(session, model, checkpoint, config, subject=subject(model, checkpoint))
        assert second.result().rpartition("/")[2] == first.id


@each
def test_a_worker_that_takes_one_while_it_is_cancelled_gets_nothing(
    service_engine: Engine, client: TestClient, ask: Callable[..., str], model: Model
) -> None:
    address = ask(model)

    def take() -> leases.Lease | None:
        with writing() as session:
            return leases.claim(session, model, "worker", 60)

    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            row = checkpoint_work.lock(session, model, address.rpartition("/")[2])
            assert row is not None and checkpoint_work.cancel(session, row)
            taken = start_behind(pool, service_engine, take)
        assert taken.result() is None
    assert client.get(address).json()["status"] == "cancelled"


@each
def test_deleting_a_job_and_ending_what_is_asked_of_it_wait_for_each_other(
    service_engine: Engine, client: TestClient, checkpoint: Checkpoint, ask: Callable[..., str], model: Model
) -> None:
    """Both lock the job first. Locking in different orders would end in a deadlock."""
    ask(model)
    with writing() as session:
        lease = leases.claim(session, model, "worker", 60)
    assert lease is not None
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            row = leases.held(session, lease)
            assert isinstance(row, CheckpointWork)
            deleted = start_behind(pool, service_engine, lambda: client.delete(f"{API}/jobs/{checkpoint.job_id}"))
            leases.finish(session, lease, WorkStatus.SUCCEEDED)
            checkpoint_work.tell(session, row)
        assert deleted.result().status_code == 204


@each
def test_a_job_that_is_busy_does_not_hold_up_the_recovery_of_others(
    service_engine: Engine, client: TestClient, ask: Callable[..., str], model: Model, checkpoint: Checkpoint
) -> None:
    ask(model)
    with writing() as session:
        lease = leases.claim(session, model, "silent", -1)
    assert lease is not None

    def expired() -> list[str]:
        with writing() as session:
            return [row.id for row in leases.expired(session, model)]

    if service_engine.dialect.name == "postgresql":  # SQLite has one writer at a time
        with writing() as session:
            session.get(Job, checkpoint.job_id, with_for_update=True)
            assert expired() == []
    assert expired() == [lease.id]


def test_a_deleted_probe_is_no_longer_what_its_job_shows(client: TestClient, checkpoint: Checkpoint) -> None:
    def shown() -> float | None:
        return client.get(f"{API}/jobs/{checkpoint.job_id}").json()["accuracy"]  # type: ignore[no-any-return]

    url = f"{API}/jobs/{checkpoint.job_id}/evaluations"
    asked = ({"kind": "knn"}, {"kind": "linear"}, {"kind": "knn", "neighbors": 9})
    other, own, later = (client.post(url, json=body).headers["location"] for body in asked)
    for address, accuracy in ((other, 0.25), (own, 0.5), (later, 0.75)):
        put(Evaluation, address, WorkStatus.SUCCEEDED, accuracy=accuracy)
    with writing() as session:
        session.get_one(Job, checkpoint.job_id).accuracy = 0.5
    for address, left in ((other, 0.5), (own, 0.75), (later, None)):
        assert client.delete(address).status_code == 204
        assert shown() == left
