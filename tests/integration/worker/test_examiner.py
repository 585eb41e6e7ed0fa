"""What is asked of a checkpoint, answered by the real program."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from colt_core import CheckpointReady, PretrainConfig, pretrain
from colt_core.analyses.kinds import Connectivity, TailShare, analyses
from colt_core.data import ImageDataset, ImagePool
from colt_core.pools.kinds import PoolCheckResult
from store import leases
from store.artifacts import get_artifacts
from store.bells import Bell
from store.database import reading, writing
from store.models import (
    Analysis,
    Checkpoint,
    CheckpointWork,
    Evaluation,
    Export,
    Job,
    JobEvent,
    OodPool,
    PoolCheck,
    leased_models,
)
from store.orphans import find_orphans
from store.repositories import checkpoint_work
from tests.support.claims import work_off
from tests.support.processes import wait_until
from tests.support.rows import add_dataset, add_job
from worker.checkpoints import STATE, CheckpointFolder
from worker.child import Interrupt
from worker.examiner import _columns, examine
from worker.folder import WorkerFolder
from worker.handover import SCRATCH
from worker.reconciler import Reconciler

CLASSES, TRAIN, PICKED = 3, 30, 8
ANY = {
    Evaluation: {"kind": "knn", "neighbors": 3},
    Analysis: {"kind": "tail_share"},
    PoolCheck: {"kind": "pool_check", "budget": 8},
    Export: {"kind": "onnx"},
}
# One that cannot be answered on these data, and what is to blame.
VAIN = {
    Evaluation: ({"kind": "few_shot", "shots": 100}, "shots 100"),
    Analysis: ({"kind": "cluster_minority", "num_clusters": 31}, "num_clusters: 31"),
    PoolCheck: ({"kind": "pool_check", "budget": 61}, "budget must be in 1..60"),
    Export: ({"kind": "features", "split": "val"}, "no images in the part 'val'"),
}
LONG = {
    Evaluation: {"kind": "few_shot", "protocol": "sgd", "shots": 4},
    Analysis: {"kind": "alignment", "num_pairs": 64},
}
TOLD = [model for model in leased_models(CheckpointWork) if model.in_events]  # others have tests of their own
each = pytest.mark.parametrize("model", TOLD)


@pytest.fixture
def checkpoint(configured: Engine, home: Path, tmp_path: Path) -> Checkpoint:
    """Of a finished job that picked OOD images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    parts = {"train": np.arange(TRAIN), "probe": np.arange(30, 45), "val": np.empty(0, np.int64)}
    labels = np.arange(60, dtype=np.int64) % CLASSES
    row = add_dataset(configured, status="ready")
    ImageDataset(images, labels, ("a", "b", "c"), {**parts, "test": np.arange(45, 60)}).save(tmp_path / "data")
    pool = OodPool(name="pool", spec={}, status="ready", image_size=16)
    with writing() as session:
        session.add(pool)
    ImagePool(images[::-1].copy()).save(tmp_path / "pool")
    for folder, owner in (("data", row), ("pool", pool)):
        written = get_artifacts().take_folder(tmp_path / folder, owner.artifact)
        with writing() as session:
            session.get_one(type(owner), owner.id).files = {name: asdict(stored) for name, stored in written.items()}
    job = add_job(configured, row, ood_pool_id=pool.id, status="succeeded", accuracy=0.1)
    config = PretrainConfig(
        backbone="resnet10", width=4, epochs=2, warmup_epochs=1, batch_size=8, sample_budget=PICKED, num_clusters=3
    )
    events = list(pretrain(config, images[:TRAIN], images[::-1]))
    _, last = (event for event in events if isinstance(event, CheckpointReady))  # the first: of the warm-up
    stored = CheckpointFolder(get_artifacts(), job.id).store(last)
    with writing() as session:
        session.add(stored)
    return stored


def ask(model: type[CheckpointWork], checkpoint: Checkpoint, config: dict[str, Any]) -> str:
    with writing() as session:
        subject = {}
        if issubclass(model, PoolCheck):
            asked = session.get_one(Job, checkpoint.job_id)
            subject = {"ood_pool_id": str(asked.ood_pool_id), "dataset_id": asked.dataset_id}
        return checkpoint_work.add(session, model, checkpoint, config, subject=subject).id


def row_of(model: type[CheckpointWork], row_id: str) -> Any:
    with reading() as session:
        row = session.get_one(model, row_id)
        _ = row.result  # deferred
        return row


def job() -> Job:
    with reading() as session:
        return session.scalars(select(Job)).one()


def told(model: type[CheckpointWork]) -> list[dict[str, Any]]:
    with reading() as session:
        return list(session.scalars(select(JobEvent.data).where(JobEvent.kind == model.noun).order_by(JobEvent.id)))


def test_a_probe_fills_its_row_and_in_events(home: Path, checkpoint: Checkpoint) -> None:
    leak, other = (
        {"code": code, "detail": "One is.", "count": 1, "examples": [3]}
        for code in ("pool_holds_test_images", "overlap_unknown")
    )
    with writing() as session:
        session.get_one(Job, checkpoint.job_id).warnings = [other, leak]
    asked = ask(Evaluation, checkpoint, {"kind": "knn", "neighbors": 3})
    work_off(home, Evaluation)
    row = row_of(Evaluation, asked)
    assert (row.status, row.error, row.lease_token, row.result) == ("succeeded", None, None, None)
    assert row.finished_at is not None
    assert row.warnings is not None and row.warnings[0] == leak and other not in row.warnings
    assert row.per_class_accuracy is not None and len(row.per_class_accuracy) == CLASSES
    assert row.class_counts == [10] * CLASSES and row.test_counts == [5] * CLASSES
    assert 0 <= row.accuracy <= 1 and job().accuracy == 0.1  # its own probe counts
    (event,) = told(Evaluation)
    assert (event["id"], event["status"], event["accuracy"]) == (asked, "succeeded", row.accuracy)


def test_a_job_without_a_probe_of_its_own_shows_the_first_that_was_asked_for(
    home: Path, checkpoint: Checkpoint
) -> None:
    with writing() as session:
        session.get_one(Job, checkpoint.job_id).accuracy = None
    first, second = (ask(Evaluation, checkpoint, {"kind": "knn", "neighbors": k}) for k in (1, 5))
    for _ in range(2):
        work_off(home, Evaluation)
    assert row_of(Evaluation, second).accuracy is not None
    assert job().accuracy == row_of(Evaluation, first).accuracy


def test_what_a_probe_finds_beyond_its_columns_is_kept_as_its_result() -> None:
    assert _columns({"accuracy": 0.5, "per_class_accuracy": (1.0, None)}) == {
        "accuracy": 0.5,
        "per_class_accuracy": [1.0, None],
        "result": None,
    }
    assert _columns({"recall_at": (0.1, 0.2)}) == {"result": {"recall_at": [0.1, 0.2]}}


def test_an_analysis_fills_its_row_and_in_events(home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(Analysis, checkpoint, {"kind": "connectivity", "num_views": 2, "thresholds": [0.5, 2.0]})
    work_off(home, Analysis)
    row = row_of(Analysis, asked)
    result = analyses[row.kind].result.model_validate(row.result)
    assert (row.status, row.error, row.lease_token) == ("succeeded", None, None) and row.finished_at is not None
    assert isinstance(result, Connectivity)
    assert result.num_ood == PICKED and result.majority.num_pairs == 45 and result.majority.with_ood[-1] == 1
    assert told(Analysis) == [
        {"id": asked, "kind": "connectivity", "status": "succeeded", "checkpoint_id": checkpoint.id, "epoch": 2}
    ]


def test_a_pool_check_fills_its_row_and_finds_the_leak(home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(PoolCheck, checkpoint, {"kind": "pool_check", "budget": PICKED})  # the pool has all images of the data
    work_off(home, PoolCheck)
    row = row_of(PoolCheck, asked)
    assert (row.status, row.error, row.budget) == ("succeeded", None, PICKED)
    result = PoolCheckResult.model_validate(row.result)
    assert result.verdict == "leak" and result.use.tailness_from == "checkpoint"
    assert result.near_duplicates.exact_by_part == {"train": TRAIN, "probe": 15, "val": 0, "test": 15}
    assert told(PoolCheck)[0]["status"] == "succeeded"


def test_an_analysis_needs_no_file_that_it_does_not_use(home: Path, checkpoint: Checkpoint) -> None:
    share = ask(Analysis, checkpoint, {"kind": "tail_share"})
    drawn = ask(Analysis, checkpoint, {"kind": "feature_map", "num_samples": 10})
    (images,) = (home / "artifacts").glob("datasets/**/images.npy")
    (pool,) = (home / "artifacts").glob("ood_pools/**/images.npy")
    images.rename(images.with_suffix(".away"))
    pool.rename(pool.with_suffix(".away"))
    for _ in range(3):  # the second one is tried again
        work_off(home, Analysis)
    done, failed = row_of(Analysis, share), row_of(Analysis, drawn)
    assert done.status == "succeeded", done.error
    assert TailShare.model_validate(done.result).phi_tail
    assert failed.status == "failed"
    assert "the file 'images.npy' of 'digits' is not in the artifact store" in failed.error


@pytest.mark.parametrize("split", ["train", "test", "pool"])
def test_features_of_a_part_become_a_file(home: Path, checkpoint: Checkpoint, split: str) -> None:
    asked = ask(Export, checkpoint, {"kind": "features", "split": split, "format": "npz"})
    work_off(home, Export)
    row = row_of(Export, asked)
    assert (row.status, row.error) == ("succeeded", None)
    content = (home / "artifacts" / row.artifact).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (row.bytes, row.sha256)
    with np.load(io.BytesIO(content)) as found:
        assert found["features"].shape == (row.result["num_images"], row.result["num_features"])
        assert len(found["index"]) == {"train": 30, "test": 15, "pool": 60}[split]
        assert ("labels" in found) == (split != "pool")
        about = json.loads(str(found["about"]))
    assert about["checkpoint_id"] == checkpoint.id and len(about["images_sha256"]) == 64
    assert about["trained_on_sha256"] == about["images_sha256"] or split == "pool"


def test_a_file_of_a_lost_attempt_is_removed_and_that_of_the_export_stays(home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(Export, checkpoint, {"kind": "onnx"})
    lost = row_of(Export, asked).folder_of("lost")
    get_artifacts().write(f"{lost}/onnx.onnx", [b"half"])
    assert Export.leftovers(asked, "lost", row_of(Export, asked)) == lost
    work_off(home, Export)
    row = row_of(Export, asked)
    assert (row.status, row.result["opset"]) == ("succeeded", 17)
    assert Export.leftovers(asked, row.artifact.split("/")[-2], row) is None
    assert find_orphans(get_artifacts(), -60) == [lost]


@each
def test_what_cannot_be_answered_says_why(home: Path, checkpoint: Checkpoint, model: type[CheckpointWork]) -> None:
    config, blamed = VAIN[model]  # type: ignore[index]
    asked = ask(model, checkpoint, config)
    work_off(home, model)
    row = row_of(model, asked)
    assert row.status == "failed" and blamed in row.error and row.finished_at is not None
    assert job().status == "succeeded" and told(model) == []


@each
def test_a_damaged_checkpoint_is_called_so(home: Path, checkpoint: Checkpoint, model: type[CheckpointWork]) -> None:
    (home / "artifacts" / checkpoint.artifact / STATE).write_bytes(b"")
    asked = ask(model, checkpoint, ANY[model])  # type: ignore[index]
    work_off(home, model)
    row = row_of(model, asked)
    assert row.status == "failed" and "damaged" in row.error


@each
def test_what_was_lost_is_queued_again_and_rung_for(
    home: Path, checkpoint: Checkpoint, model: type[CheckpointWork]
) -> None:
    asked = ask(model, checkpoint, ANY[model])  # type: ignore[index]
    with writing() as session:
        assert leases.claim(session, model, "silent", -1) is not None
    Reconciler(WorkerFolder(home, "me")).once()
    row = row_of(model, asked)
    assert (row.status, row.lease_token, row.attempts) == ("queued", None, 1)
    bells = [json.loads(path.read_text())["headers"]["task"] for path in (home / "broker").glob("*.msg")]
    assert bells == [Bell.EXAMINE]


@pytest.mark.parametrize("model", LONG)
def test_a_running_one_that_is_cancelled_ends_within_the_grace_time(
    home: Path, checkpoint: Checkpoint, model: type[CheckpointWork]
) -> None:
    asked = ask(model, checkpoint, LONG[model])  # type: ignore[index]
    working = threading.Thread(target=work_off, args=(home, model))
    working.start()
    wait_until(lambda: row_of(model, asked).status == "running", 30, "it runs")
    with writing() as session:
        row = checkpoint_work.lock(session, model, asked)
        assert row is not None and checkpoint_work.cancel(session, row)
    assert row_of(model, asked).status == "cancelling"
    working.join(30)
    assert not working.is_alive()
    row = row_of(model, asked)
    assert (row.status, row.error, row.lease_token, row.result) == ("cancelled", None, None, None)
    assert row.finished_at is not None and job().accuracy == 0.1
    assert [event["status"] for event in told(model)] == ["cancelling", "cancelled"]


@each
def test_an_answer_that_comes_after_the_cancelling_is_dropped(
    checkpoint: Checkpoint, model: type[CheckpointWork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCRATCH, str(tmp_path))
    asked = ask(model, checkpoint, ANY[model])  # type: ignore[index]
    with writing() as session:
        lease = leases.claim(session, model, "me", 60)
    assert lease is not None
    with writing() as session:
        row = checkpoint_work.lock(session, model, asked)
        assert row is not None and checkpoint_work.cancel(session, row)
    examine(lease, Interrupt())
    row = row_of(model, asked)
    assert (row.status, row.result, row.lease_token) == ("cancelled", None, None)
    assert getattr(row, "accuracy", None) is None and job().accuracy == 0.1


@each
def test_one_whose_worker_fell_silent_while_it_was_cancelled_is_cancelled(
    home: Path, checkpoint: Checkpoint, model: type[CheckpointWork]
) -> None:
    asked = ask(model, checkpoint, ANY[model])  # type: ignore[index]
    with writing() as session:
        assert leases.claim(session, model, "silent", -1) is not None
    with writing() as session:
        row = checkpoint_work.lock(session, model, asked)
        assert row is not None and checkpoint_work.cancel(session, row)
    Reconciler(WorkerFolder(home, "me")).once()
    row = row_of(model, asked)
    assert (row.status, row.lease_token) == ("cancelled", None)
    assert [event["status"] for event in told(model)] == ["cancelling", "cancelled"]
