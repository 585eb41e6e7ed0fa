"""A probe asked for later, by the real process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from colt_core import CheckpointReady, PretrainConfig, pretrain
from colt_core.data import ImageDataset
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Checkpoint, Evaluation, Job, JobEvent
from tests.support.claims import work_off
from tests.support.rows import add_dataset, add_job
from worker.checkpoints import STATE, CheckpointFolder

CLASSES = 3


@pytest.fixture
def checkpoint(configured: Engine, home: Path) -> Checkpoint:
    """A finished job with one checkpoint."""
    rng = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.int64) % CLASSES
    images = rng.integers(0, 256, (60, 3, 16, 16), dtype=np.uint8)
    parts = {
        "train": np.arange(30),
        "probe": np.arange(30, 45),
        "val": np.empty(0, np.int64),
        "test": np.arange(45, 60),
    }
    row = add_dataset(configured, status="ready")
    ImageDataset(images, labels, ("a", "b", "c"), parts).save(home / "artifacts" / row.artifact)
    job = add_job(configured, row, status="succeeded", accuracy=0.1)
    config = PretrainConfig(sampler="none", backbone="resnet10", width=4, epochs=1, batch_size=8)
    (event,) = [event for event in pretrain(config, images[:30]) if isinstance(event, CheckpointReady)]
    stored = CheckpointFolder(get_artifacts(), job.id).store(event)
    with writing() as session:
        session.add(stored)
    return stored


def ask(checkpoint: Checkpoint, **config: object) -> str:
    evaluation = Evaluation(
        job_id=checkpoint.job_id,
        checkpoint_id=checkpoint.id,
        kind=str(config["kind"]),
        config=dict(config),
        epoch=checkpoint.epoch,
    )
    with writing() as session:
        session.add(evaluation)
    return evaluation.id


def test_a_probe_fills_its_row_and_is_told(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(checkpoint, kind="knn", neighbors=3)
    work_off(home, Evaluation)
    with reading() as session:
        row = session.get_one(Evaluation, asked)
        job = session.scalars(select(Job)).one()
        (event,) = session.scalars(select(JobEvent).where(JobEvent.kind == "evaluation"))
    assert (row.status, row.error, row.lease_token) == ("succeeded", None, None)
    assert row.per_class_accuracy is not None and len(row.per_class_accuracy) == CLASSES
    assert row.class_counts == [10] * CLASSES and row.test_counts == [5] * CLASSES
    assert row.accuracy is not None and 0 <= row.accuracy <= 1 and job.accuracy == 0.1  # its own probe counts
    assert event.data["id"] == asked and event.data["accuracy"] == row.accuracy


def test_a_probe_that_cannot_be_done_says_why(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    asked = ask(checkpoint, kind="few_shot", shots=100)
    work_off(home, Evaluation)
    with reading() as session:
        row = session.get_one(Evaluation, asked)
        assert session.scalars(select(Job)).one().status == "succeeded"
    assert row.status == "failed" and row.error is not None and "shots 100" in row.error


def test_a_probe_of_a_damaged_checkpoint_says_so(configured: Engine, home: Path, checkpoint: Checkpoint) -> None:
    (home / "artifacts" / checkpoint.artifact / STATE).write_bytes(b"")
    asked = ask(checkpoint, kind="knn")
    work_off(home, Evaluation)
    with reading() as session:
        row = session.get_one(Evaluation, asked)
    assert row.status == "failed" and row.error is not None and "damaged" in row.error
