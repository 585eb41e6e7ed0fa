"""Checkpoints of a real, tiny run: what is kept, what is dropped, and what happens to a damaged
file."""

from __future__ import annotations

import resource
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sqlalchemy import Engine, select

from colt_core import CheckpointReady, PretrainConfig, pretrain
from colt_core.training.checkpoint import save_checkpoint
from store.artifacts import ArtifactsUnavailable, get_artifacts
from store.database import reading, writing
from store.models import Analysis, Checkpoint, Evaluation, Job
from store.repositories import recording
from store.settings import get_settings
from tests.support.bytes_counted import counted
from tests.support.rows import add_dataset, add_job
from worker.checkpoints import BACKBONE, STATE, CheckpointFolder
from worker.child import WorkFailed

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
def folder(configured: Engine, job: Job) -> CheckpointFolder:
    return CheckpointFolder(get_artifacts(), job.id)


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


def test_a_checkpoint_is_written_once(
    folder: CheckpointFolder, ready: list[CheckpointReady], home: Path, tmp_path: Path
) -> None:
    before = {what: counted(what) for what in ("rchar", "wchar")}
    row = folder.store(ready[0])
    written, read = (counted(what) - before[what] for what in ("wchar", "rchar"))
    state, backbone = ((home / "artifacts" / row.artifact / name).read_bytes() for name in (STATE, BACKBONE))
    size = len(state) + len(backbone)
    assert size <= written < 1.05 * size, f"{written / size:.2f} times the files"
    assert read < 0.05 * size, f"{read / size:.2f} times the files"
    assert (row.bytes, row.sha256) == (len(state), sha256(state).hexdigest())
    assert row.backbone_sha256 == sha256(backbone).hexdigest()
    save_checkpoint(ready[0].state, tmp_path / STATE)
    assert state == (tmp_path / STATE).read_bytes(), "as the library writes it"


def test_a_checkpoint_without_room_leaves_nothing(
    folder: CheckpointFolder, ready: list[CheckpointReady], home: Path
) -> None:
    row = folder.store(ready[0])
    backbone = (home / "artifacts" / row.artifact / BACKBONE).stat().st_size
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (backbone, unlimited[1]))  # enough for it, but not for the state
    try:
        with pytest.raises(ArtifactsUnavailable, match="File too large"):
            folder.store(ready[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert files(home) == {f"{row.artifact}/{name}" for name in (STATE, BACKBONE)}


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
    store(folder, ready[1])  # as the run does when it returns to this step
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


def test_a_run_begins_with_the_checkpoint_of_another_job_while_that_is_whole(
    configured: Engine, folder: CheckpointFolder, ready: list[CheckpointReady], job: Job, home: Path
) -> None:
    row = store(folder, ready[1])
    source = {"checkpoint_id": row.id, "job_id": job.id, "epoch": 2}
    dataset = add_dataset(configured, status="ready")
    further = add_job(configured, dataset, start_from=source, start_checkpoint_id=row.id)
    own = CheckpointFolder(get_artifacts(), further.id)
    state = own.start(further)
    assert state is not None and equal(state, ready[1].state)
    assert own.start(add_job(configured, dataset)) is None
    further.start_checkpoint_id = None  # as once it has a checkpoint of its own, which may be damaged later
    assert own.start(further) is not None
    (home / "artifacts" / row.artifact / STATE).unlink()
    with pytest.raises(WorkFailed, match=f"of epoch 2 of job {job.id}. is missing or damaged"):
        own.start(further)


def test_without_a_checkpoint_a_run_begins_at_the_beginning(folder: CheckpointFolder) -> None:
    assert folder.last() is None
