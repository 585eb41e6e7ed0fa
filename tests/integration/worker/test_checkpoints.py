"""Checkpoints of a real, tiny run: what is kept, what is dropped, and what happens to a damaged file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sqlalchemy import Engine, select

from colt_core import CheckpointReady, PretrainConfig, pretrain
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Analysis, Checkpoint, Evaluation, Job
from store.repositories import recording
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from worker.checkpoints import BACKBONE, STATE, CheckpointFolder

EPOCHS, KEEP = 5, 3


@pytest.fixture(scope="module")
def ready() -> list[CheckpointReady]:
    """One checkpoint an epoch."""
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 16, 16), dtype=np.uint8)
    config = PretrainConfig(
        sampler="none", backbone="resnet10", width=4, epochs=EPOCHS, batch_size=8, checkpoint_interval=1
    )
    return [event for event in pretrain(config, images) if isinstance(event, CheckpointReady)]


@pytest.fixture
def job(configured: Engine) -> Job:
    return add_job(configured, add_dataset(configured, status="ready"))


@pytest.fixture
def folder(configured: Engine, job: Job, tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(get_artifacts(), job.id, tmp_path)


def store(folder: CheckpointFolder, event: CheckpointReady) -> Checkpoint:
    row = folder.store(event)
    with writing() as session:
        dropped = folder.record(session, row)
    folder.delete(dropped)
    return row


def rows() -> list[Checkpoint]:
    with reading() as session:
        return list(session.scalars(select(Checkpoint).order_by(Checkpoint.step)))


def files(home: Path) -> set[str]:
    root = home / "artifacts"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(torch.equal(a["framework"][name], b["framework"][name]) for name in b["framework"])


def test_the_last_few_stay_with_their_files(folder: CheckpointFolder, ready: list[CheckpointReady], home: Path) -> None:
    for event in ready:
        store(folder, event)
    assert [row.epoch for row in rows()] == list(range(EPOCHS - KEEP + 1, EPOCHS + 1))
    assert files(home) == {f"{row.artifact}/{name}" for row in rows() for name in (STATE, BACKBONE)}
    found = folder.last()
    assert found is not None and found[0].epoch == EPOCHS and equal(found[1], ready[-1].state)


@pytest.mark.parametrize("kept", [1, 4])
def test_how_many_stay_is_a_setting(
    folder: CheckpointFolder, ready: list[CheckpointReady], home: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setenv("COLT_KEEP_CHECKPOINTS", str(kept))
    get_settings.cache_clear()
    for event in ready:
        store(folder, event)
    assert [row.epoch for row in rows()] == list(range(EPOCHS - kept + 1, EPOCHS + 1))
    assert files(home) == {f"{row.artifact}/{name}" for row in rows() for name in (STATE, BACKBONE)}


def test_an_evaluated_checkpoint_stays(folder: CheckpointFolder, ready: list[CheckpointReady], job: Job) -> None:
    first = store(folder, ready[0])
    with writing() as session:
        session.add(Evaluation(job_id=job.id, checkpoint_id=first.id, kind="knn", config={}, epoch=1))
    for event in ready[1:]:
        store(folder, event)
    assert [row.epoch for row in rows()] == [1, *range(EPOCHS - KEEP + 1, EPOCHS + 1)]


def test_results_outlive_a_checkpoint_that_is_written_again(
    folder: CheckpointFolder, ready: list[CheckpointReady], job: Job, home: Path
) -> None:
    first = store(folder, ready[0])
    with writing() as session:
        values = {"job_id": job.id, "checkpoint_id": first.id, "config": {}, "epoch": 1}
        session.add(Evaluation(kind="knn", status="succeeded", **values))
        session.add(Analysis(kind="map", **values))
    again = store(folder, ready[0])  # as when a round is broken off that begins the next epoch
    with reading() as session:
        of = [session.scalars(select(result.checkpoint_id)).all() for result in (Evaluation, Analysis)]
    assert [row.id for row in rows()] == [again.id] and of == [[again.id], [again.id]]
    assert files(home) == {f"{again.artifact}/{name}" for name in (STATE, BACKBONE)}


def test_the_backbone_alone_lies_beside_the_state(
    folder: CheckpointFolder, ready: list[CheckpointReady], home: Path
) -> None:
    row = store(folder, ready[0])
    weights = load_file(home / "artifacts" / row.artifact / BACKBONE)
    assert torch.equal(weights["conv1.weight"], ready[0].state["framework"]["backbone.conv1.weight"])


@pytest.mark.parametrize("damage", ["cut short", "missing"])
def test_a_damaged_file_sends_the_run_back_to_the_checkpoint_before(
    folder: CheckpointFolder, ready: list[CheckpointReady], home: Path, damage: str
) -> None:
    first, second = store(folder, ready[0]), store(folder, ready[1])
    path = home / "artifacts" / second.artifact / STATE
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000])
    found = folder.last()
    assert found is not None and found[0].id == first.id and equal(found[1], ready[0].state)
    store(folder, ready[1])  # as the run does when it comes by again
    found = folder.last()
    assert found is not None and found[0].step == second.step and len(rows()) == 2


def test_results_outlive_a_checkpoint_that_is_damaged(
    folder: CheckpointFolder, ready: list[CheckpointReady], job: Job, home: Path
) -> None:
    first, second, third = (store(folder, event) for event in ready[:3])
    with writing() as session:
        values = {"job_id": job.id, "checkpoint_id": second.id, "config": {}, "epoch": 2}
        session.add(Evaluation(kind="knn", status="succeeded", **values))
        session.add(Analysis(kind="map", **values))
    damaged = [home / "artifacts" / row.artifact / STATE for row in (second, third)]
    for path in damaged:
        path.rename(path.with_suffix(".away"))
    found = folder.last()
    assert found is not None and found[0].id == first.id
    with writing() as session:  # as the next attempt does
        recording.discard_after(session, job.id, first.epoch, first.step, 0)
    assert [row.id for row in rows()] == [first.id, second.id]
    for path in damaged:
        path.with_suffix(".away").rename(path)
    found = folder.last()
    assert found is not None and found[0].id == first.id, "the curves have no gap, whatever comes back"
    again = store(folder, ready[1])
    with reading() as session:
        of = [session.scalars(select(result.checkpoint_id)).all() for result in (Evaluation, Analysis)]
    assert [row.id for row in rows()] == [first.id, again.id] and of == [[again.id], [again.id]]


def test_without_a_checkpoint_a_run_begins_at_the_beginning(folder: CheckpointFolder) -> None:
    assert folder.last() is None
