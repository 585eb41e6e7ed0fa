"""Registered data are read to their end once by a worker, however many of its processes use
them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from colt_core import PretrainConfig
from colt_core.data.dataset import IMAGES, ImageDataset, ImagePool
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.digests import SETTLED_SECONDS
from store.models import Analysis, Checkpoint, Dataset, Evaluation, Job, OodPool
from tests.support.bytes_counted import counted_with_children
from tests.support.claims import one_worker
from tests.support.files import files_under
from tests.support.rows import add_dataset, add_job

STORED, POOL = 330_000, 40  # images; a few of those stored are of a part, and all others a hole in the file
TRAIN = 24
CONFIG = PretrainConfig(
    backbone="resnet10",
    width=4,
    epochs=2,
    warmup_epochs=1,
    batch_size=8,
    sample_budget=8,
    num_clusters=3,
    num_processes=2,
    checkpoint_interval=2,
)


@pytest.fixture
def job(configured: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Of two processes and one evaluation, on 1 GB of images."""
    monkeypatch.setenv("COLT_LOG_LEVEL", "DEBUG")
    dataset = add_dataset(configured, status="ready")
    made = tmp_path / "made"
    made.mkdir()
    images = np.lib.format.open_memmap(made / IMAGES, mode="w+", dtype=np.uint8, shape=(STORED, 3, 32, 32))
    images[:48] = np.random.default_rng(0).integers(0, 256, (48, 3, 32, 32))
    parts = {"train": np.arange(TRAIN), "probe": np.arange(24, 36), "val": np.empty(0, np.int64)}
    ImageDataset(
        images, np.arange(STORED, dtype=np.int64) % 3, ("a", "b", "c"), {**parts, "test": np.arange(36, 48)}
    ).save_labels(made)
    pool = OodPool(name="pool", spec={}, status="ready")
    with writing() as session:
        session.add(pool)
    ImagePool(images[:POOL].copy()).save(tmp_path / "pool")
    for folder, row in ((made, dataset), (tmp_path / "pool", pool)):
        files = {name: asdict(stored) for name, stored in get_artifacts().take_folder(folder, row.artifact).items()}
        with writing() as session:
            session.get_one(type(row), row.id).files = files
    time.sleep(SETTLED_SECONDS + 0.1)  # what is younger than that is not remembered
    return add_job(
        configured,
        dataset,
        ood_pool_id=pool.id,
        config=CONFIG.model_dump(mode="json"),
        epochs=CONFIG.epochs,
        evaluations=["knn"],
    )


def test_a_job_its_ranks_evaluations_and_analyses_read_the_data_once(job: Job, home: Path) -> None:
    size = get_artifacts().size(f"{data_of(job).artifact}/{IMAGES}")
    before = counted_with_children("rchar")
    with one_worker(home) as work:
        work(Job)
        ask(job)
        for model in (Evaluation, Analysis, Analysis):
            work(model)
    bytes_read = counted_with_children("rchar") - before
    with reading() as session:
        assert session.get_one(Job, job.id).status == "succeeded"
        for model in (Evaluation, Analysis):
            assert {row.status for row in session.scalars(select(model))} == {"succeeded"}
    names = readings(home)
    assert {name: names[name] for name in (IMAGES, "labels.npy", "parts.npz", "meta.json")} == {
        IMAGES: 2,  # of the data set and of the pool
        "labels.npy": 1,
        "parts.npz": 1,
        "meta.json": 2,
    }
    assert size <= bytes_read < 2 * size, f"{bytes_read / size:.2f} times the data"


def data_of(job: Job) -> Dataset:
    with reading() as session:
        return session.get_one(Dataset, job.dataset_id)


def ask(job: Job) -> None:
    """For another evaluation and two analyses of the last checkpoint."""
    with writing() as session:
        checkpoint = session.scalars(select(Checkpoint).order_by(Checkpoint.step.desc()).limit(1)).one()
        of = {"job_id": job.id, "checkpoint_id": checkpoint.id, "epoch": checkpoint.epoch}
        session.add(Evaluation(kind="knn", config={"kind": "knn", "neighbors": 3}, **of))
        for kind in ("feature_map", "uniformity"):
            session.add(Analysis(kind=kind, config={"kind": kind}, **of))


def readings(home: Path) -> Counter[str]:
    """How often the processes read each file of the store to its end, by the file's name."""
    lines = [line for path in files_under(home / "logs") for line in path.read_text().splitlines()]
    read = [line.partition("reading ")[2].partition(" to its end")[0] for line in lines if "to its end" in line]
    return Counter(Path(path).name for path in read)
