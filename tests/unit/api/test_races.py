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
from api.evaluations import service as evaluations
from api.evaluations.schemas import NewEvaluation
from store import leases
from store.database import reading, writing
from store.leases import Lease
from store.models import Checkpoint, Evaluation, Job
from store.repositories import recording
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.locks import start_behind
from tests.support.problems import pointers
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
