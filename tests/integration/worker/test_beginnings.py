"""Jobs that share a beginning, by the real processes: they end as if each had run alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine, select, update

from api import queues
from api.jobs.schemas import NewJob
from api.jobs.submission import check, resolve
from store.database import reading, writing
from store.models import Checkpoint, Dataset, Job, JobAttempt, JobEvent, Metric, OodPool
from store.repositories import jobs
from tests.support.claims import one_worker, work_off
from tests.support.data_files import labelled_files, write_folder
from tests.support.runs import assert_equal, recorded
from tests.support.stack import Stack

CONFIG: dict[str, Any] = {
    "backbone": "resnet10",
    "width": 4,
    "stem": "cifar-stride2",
    "epochs": 4,
    "warmup_epochs": 2,
    "batch_size": 8,
    "sample_budget": 8,
    "num_clusters": 2,
    "checkpoint_interval": 3,
    "lr_warmup_epochs": 0,
}
ARMS: dict[str, dict[str, Any]] = {
    "colt": {"sample_interval": 1},
    "random": {"sampler": "random", "sample_interval": 1},
    "matched": {"sampler": "none", "match_steps": True},
}


@pytest.fixture
def data(configured: Engine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ids of the registered data."""
    monkeypatch.setenv("COLT_DATA_ROOTS", str(tmp_path / "data"))
    for model, counts in ((Dataset, {"cat": 10, "dog": 10}), (OodPool, {"letters": 12})):
        folder = write_folder(tmp_path / "data" / model.__tablename__, labelled_files(counts))
        with writing() as session:
            session.add(model(name=model.noun, spec={"source": {"kind": "path", "path": str(folder)}}))
        work_off(home, model)
    with reading() as session:
        return {
            "dataset_id": session.scalars(select(Dataset.id)).one(),
            "ood_pool_id": session.scalars(select(OodPool.id)).one(),
        }


def queue(data: dict[str, str], arm: str, group: str | None) -> str:
    config = resolve(CONFIG | ARMS[arm])
    read = {name: row_id for name, row_id in data.items() if name != "ood_pool_id" or config.sampler.uses_pool}
    wanted = NewJob(name=arm, config=CONFIG | ARMS[arm], evaluations=[], **read)  # type: ignore[arg-type]
    with writing() as session:
        job = check(session, wanted, config).row(queues.place(session, Job, None), group)
        assert jobs.add(session, job)
        return job.id


def job_of(job_id: str) -> Job:
    with reading() as session:
        return session.get_one(Job, job_id)


def lines(job_id: str) -> str:
    with reading() as session:
        told = session.scalars(select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.kind == "log")).all()
    return "\n".join(line for data in told for line in data["lines"])


def record(home: Path, job_id: str) -> dict[str, Any]:
    return recorded(cast("Stack", SimpleNamespace(env={}, home=home)), job_id)


def test_arms_with_one_beginning_end_bit_for_bit_as_alone(configured: Engine, home: Path, data: dict[str, str]) -> None:
    """Losses, tailness, picks, curves and the last state. The first is deleted halfway."""
    alone = {arm: queue(data, arm, None) for arm in ARMS}
    shared = {arm: queue(data, arm, "experiment") for arm in ARMS}
    first, *others = shared.values()
    with one_worker(home) as work:
        for _ in range(len(ARMS) + 2):
            work(Job)
        own = record(home, first)
        with writing() as session:
            assert jobs.remove(session, first)
        work(Job)
    assert [job_of(job_id).beginning_job_id for job_id in others] == [first, None]
    assert_equal(own, record(home, alone["colt"]))
    for arm, job_id in list(shared.items())[1:]:
        assert (job_of(job_id).status, job_of(job_id).error) == ("succeeded", None)
        assert_equal(record(home, job_id), record(home, alone[arm]))
    assert f"up to 2 are shared with job {first}" in lines(others[0])
    with reading() as session:
        begun = dict(session.execute(select(JobAttempt.job_id, JobAttempt.from_epoch)).all())
    assert [begun[job_id] for job_id in others] == [2, 0], "the second had no one left to share with"
    assert job_of(alone["colt"]).beginning is None


def test_a_beginning_whose_end_is_lost_is_trained_again(configured: Engine, home: Path, data: dict[str, str]) -> None:
    first, second = (queue(data, arm, "experiment") for arm in ("colt", "random"))
    with one_worker(home) as work:
        work(Job)
        with reading() as session:
            end = session.scalars(
                select(Checkpoint).join(Job, Job.beginning_checkpoint_id == Checkpoint.id).where(Job.id == first)
            ).one()
        assert end.epoch == 2
        (home / "artifacts" / end.artifact / "checkpoint.pt").unlink()
        work(Job)
    assert (job_of(second).status, job_of(second).beginning_job_id) == ("succeeded", None)
    assert job_of(second).beginning_checkpoint_id is not None


@pytest.mark.parametrize("other", ["precision", "threads"])
def test_what_was_computed_in_another_way_is_not_taken_over(
    configured: Engine, home: Path, data: dict[str, str], other: str
) -> None:
    """As with `auto` on two machines."""
    first, second = (queue(data, arm, "experiment") for arm in ("colt", "random"))
    with one_worker(home) as work:
        work(Job, threads=2 if other == "threads" else None)
        compute = job_of(first).compute or {}
        assert compute["threads"] == (2 if other == "threads" else 1)
        if other == "precision":
            with writing() as session:
                session.execute(update(Job).where(Job.id == first).values(compute={**compute, "precision": "other"}))
        work(Job)
    with reading() as session:
        steps = session.scalars(select(Metric.step).where(Metric.job_id == second, Metric.name == "loss")).all()
    assert job_of(second).beginning_job_id is None and sorted(steps) == list(range(1, len(steps) + 1))
