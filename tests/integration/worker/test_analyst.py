"""An analysis of a checkpoint, by the real process."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from colt_core import CheckpointReady, PretrainConfig, pretrain
from colt_core.analyses.kinds import Connectivity, TailShare, analyses
from colt_core.data import ImageDataset, ImagePool
from store import leases
from store.artifacts import get_artifacts
from store.broker import PREPARE
from store.database import reading, writing
from store.models import Analysis, Checkpoint, Job, JobEvent, OodPool
from tests.support.claims import work_off
from tests.support.rows import add_dataset, add_job
from worker.checkpoints import STATE, CheckpointFolder
from worker.folder import WorkerFolder
from worker.reconciler import Reconciler

TRAIN, PICKED = 30, 8


@pytest.fixture
def checkpoint(configured: Engine, home: Path, tmp_path: Path) -> Checkpoint:
    """Of a finished job that picked OOD images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    parts = {"train": np.arange(TRAIN), "probe": np.arange(30, 45), "val": np.empty(0, np.int64)}
    labels = np.arange(60, dtype=np.int64) % 3
    row = add_dataset(configured, status="ready")
    ImageDataset(images, labels, ("a", "b", "c"), {**parts, "test": np.arange(45, 60)}).save(tmp_path / "data")
    pool = OodPool(name="pool", spec={}, status="ready")
    with writing() as session:
        session.add(pool)
    ImagePool(images[::-1].copy()).save(tmp_path / "pool")
    for folder, owner in (("data", row), ("pool", pool)):
        written = get_artifacts().take_folder(tmp_path / folder, owner.artifact)
        with writing() as session:
            session.get_one(type(owner), owner.id).files = {name: asdict(stored) for name, stored in written.items()}
    job = add_job(configured, row, ood_pool_id=pool.id, status="succeeded")
    config = PretrainConfig(
        backbone="resnet10", width=4, epochs=2, warmup_epochs=1, batch_size=8, sample_budget=PICKED, num_clusters=3
    )
    events = list(pretrain(config, images[:TRAIN], images[::-1]))
    stored = CheckpointFolder(get_artifacts(), job.id).store(
        next(event for event in events if isinstance(event, CheckpointReady))
    )
    with writing() as session:
        session.add(stored)
    return stored


def ask(checkpoint: Checkpoint, **config: object) -> str:
    analysis = Analysis(
        job_id=checkpoint.job_id,
        checkpoint_id=checkpoint.id,
        kind=str(config["kind"]),
        config=dict(config),
        epoch=checkpoint.epoch,
    )
    with writing() as session:
        session.add(analysis)
    return analysis.id


def test_an_analysis_fills_its_row_and_is_told(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(checkpoint, kind="connectivity", num_views=2, thresholds=[0.5, 2.0])
    work_off(home, Analysis)
    with reading() as session:
        row = session.get_one(Analysis, asked)
        result = analyses[row.kind].result.model_validate(row.result)
        (event,) = session.scalars(select(JobEvent).where(JobEvent.kind == "analysis"))
    assert (row.status, row.error, row.lease_token) == ("succeeded", None, None) and row.finished_at is not None
    assert isinstance(result, Connectivity)
    assert result.num_ood == PICKED and result.majority.num_pairs == 45 and result.majority.with_ood[-1] == 1
    assert event.data == {
        "id": asked,
        "kind": "connectivity",
        "status": "succeeded",
        "checkpoint_id": checkpoint.id,
        "epoch": 2,
    }


def test_an_analysis_that_cannot_be_made_says_why(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(checkpoint, kind="cluster_minority", num_clusters=31)
    work_off(home, Analysis)
    with reading() as session:
        row = session.get_one(Analysis, asked)
        assert session.scalars(select(Job)).one().status == "succeeded"
        assert not list(session.scalars(select(JobEvent).where(JobEvent.kind == "analysis")))
    assert row.status == "failed" and row.error is not None and "num_clusters: 31" in row.error
    assert row.finished_at is not None


def test_an_analysis_needs_no_file_that_it_does_not_use(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    tail, share = ask(checkpoint, kind="tail_share"), ask(checkpoint, kind="feature_map", num_samples=10)
    (images,) = (home / "artifacts").glob("datasets/**/images.npy")
    (pool,) = (home / "artifacts").glob("ood_pools/**/images.npy")
    images.rename(images.with_suffix(".away"))
    pool.rename(pool.with_suffix(".away"))
    for _ in range(3):  # the second one is tried again
        work_off(home, Analysis)
    with reading() as session:
        done, failed = session.get_one(Analysis, tail), session.get_one(Analysis, share)
        assert done.status == "succeeded", done.error
        assert TailShare.model_validate(done.result).phi_tail
        assert failed.status == "failed" and failed.error is not None
        assert "the file 'images.npy' of 'digits' is not in the artifact store" in failed.error


def test_an_analysis_of_a_damaged_checkpoint_says_so(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    (home / "artifacts" / checkpoint.artifact / STATE).write_bytes(b"")
    asked = ask(checkpoint, kind="uniformity")
    work_off(home, Analysis)
    with reading() as session:
        row = session.get_one(Analysis, asked)
    assert row.status == "failed" and row.error is not None and "damaged" in row.error


def test_a_lost_analysis_is_queued_again_and_rung_for(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(checkpoint, kind="tail_share")
    with writing() as session:
        assert leases.claim(session, Analysis, "silent", -1) is not None
    Reconciler(WorkerFolder(home, "me")).once()
    with reading() as session:
        row = session.get_one(Analysis, asked)
    assert (row.status, row.lease_token, row.attempts) == ("queued", None, 1)
    bells = [json.loads(path.read_text())["headers"]["task"] for path in (home / "broker").glob("*.msg")]
    assert bells == [PREPARE]
