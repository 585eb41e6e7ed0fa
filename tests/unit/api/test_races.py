"""Requests for a checkpoint while its trainer drops old ones, and two requests at once, on each
engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from api.analyses import service as analyses
from api.analyses.schemas import NewAnalysis
from api.datasets import service as datasets
from api.datasets.schemas import NewDataset
from api.evaluations import service as evaluations
from api.evaluations.schemas import NewEvaluation
from store import leases
from store.database import reading, writing
from store.leases import Lease
from store.models import Checkpoint, Dataset, Evaluation, Job, Registered
from store.repositories import jobs, recording, registrations
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.locks import start_behind
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"


@pytest.fixture
def checkpoints(rows: Rows) -> list[Checkpoint]:
    """Two checkpoints of a job that is being trained."""
    job = rows.job(status="queued")
    return [rows.checkpoint(job, epoch) for epoch in (1, 2)]


@pytest.fixture
def lease(checkpoints: list[Checkpoint]) -> Lease:
    with writing() as session:
        lease = leases.claim(session, Job, "w", 60)
    assert lease is not None
    return lease


def drop_the_first(session: Session, lease: Lease) -> list[str]:
    """Do what the trainer does when it records a checkpoint."""
    leases.write(session, lease, faults=0)
    dropped = recording.drop_old_checkpoints(session, lease.id, keep=1)
    session.flush()
    return dropped


@pytest.mark.parametrize(("noun", "kind"), [("evaluations", "knn"), ("analyses", "tail_share")])
def test_nothing_is_queued_of_a_checkpoint_that_is_being_dropped(
    service_engine: Engine, client: TestClient, checkpoints: list[Checkpoint], lease: Lease, noun: str, kind: str
) -> None:
    body = {"kind": kind, "checkpoint_id": checkpoints[0].id}
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            drop_the_first(session, lease)
            answer = start_behind(pool, service_engine, lambda: client.post(f"{API}/jobs/{lease.id}/{noun}", json=body))
        assert pointers(answer.result()) == ["/checkpoint_id"]


def test_a_checkpoint_stays_of_which_something_is_being_queued(
    service_engine: Engine, checkpoints: list[Checkpoint], lease: Lease
) -> None:
    def drop() -> list[str]:
        with writing() as session:
            return drop_the_first(session, lease)

    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            wanted = NewEvaluation.model_validate({"kind": "knn", "checkpoint_id": checkpoints[0].id})
            evaluations.request(session, lease.id, wanted)
            dropped = start_behind(pool, service_engine, drop)
        assert dropped.result() == []
    with reading() as session:
        assert session.scalars(select(Evaluation.checkpoint_id)).all() == [checkpoints[0].id]


def test_two_who_ask_for_the_same_analysis_share_it(
    service_engine: Engine, checkpoints: list[Checkpoint], lease: Lease
) -> None:
    wanted = NewAnalysis.model_validate({"kind": "tail_share"})

    def ask() -> Any:
        with writing() as session:
            return analyses.request(session, lease.id, wanted).id

    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            first = analyses.request(session, lease.id, wanted).id
            second = start_behind(pool, service_engine, ask)
        assert second.result() == first


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "jobs/{job}/cancel", None),
        ("POST", "jobs/{job}/resume", None),
        ("PATCH", "jobs/{job}", {"name": "other"}),
        ("DELETE", "jobs/{job}", None),
        ("POST", "jobs/{job}/evaluations", {"kind": "knn"}),
        ("POST", "jobs/{job}/analyses", {"kind": "tail_share"}),
        ("POST", "evaluations/{evaluation}/cancel", None),
        ("DELETE", "evaluations/{evaluation}", None),
    ],
)
def test_what_is_asked_of_a_job_that_is_being_deleted_is_not_there(
    service_engine: Engine, client: TestClient, rows: Rows, method: str, path: str, body: dict[str, Any] | None
) -> None:
    job = rows.job(status="queued" if path == "jobs/{job}/cancel" else "cancelled")
    checkpoint = rows.checkpoint(job, 1)
    of_it = {"job_id": job.id, "checkpoint_id": checkpoint.id, "kind": "knn", "config": {"kind": "knn"}, "epoch": 1}
    evaluation = Evaluation(id="e", status="queued", **of_it)
    with writing() as session:
        session.add(evaluation)
    address = f"{API}/{path.format(job=job.id, evaluation=evaluation.id)}"
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            assert jobs.remove(session, job.id)
            answer = start_behind(pool, service_engine, lambda: client.request(method, address, json=body))
        problem(answer.result(), 404)


@pytest.mark.parametrize("noun", ["datasets", "ood-pools"])
def test_data_that_are_being_deleted_cannot_be_deleted_again(
    service_engine: Engine, client: TestClient, rows: Rows, noun: str
) -> None:
    row: Registered = rows.dataset() if noun == "datasets" else rows.pool()
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            assert registrations.remove(session, type(row), row.id)
            answer = start_behind(pool, service_engine, lambda: client.delete(f"{API}/{noun}/{row.id}"))
        problem(answer.result(), 404)


def test_an_upload_stays_of_which_a_registration_is_being_queued(service_engine: Engine, client: TestClient) -> None:
    upload_id = client.post(f"{API}/uploads?filename=a.zip", content=b"x").json()["id"]
    source = {"kind": "upload", "upload_id": upload_id}
    with ThreadPoolExecutor(1) as pool:
        with writing() as session:
            datasets.register(session, NewDataset.model_validate({"name": "d", "source": source}))
            answer = start_behind(pool, service_engine, lambda: client.delete(f"{API}/uploads/{upload_id}"))
        problem(answer.result(), 409)


def test_what_is_read_is_of_one_moment(service_engine: Engine, rows: Rows) -> None:
    job = rows.job()
    with reading() as session:
        found = session.get_one(Job, job.id)
        with writing() as other:
            assert jobs.remove(other, job.id)
            assert registrations.remove(other, Dataset, found.dataset_id)
        assert registrations.get(session, Dataset, found.dataset_id) is not None
