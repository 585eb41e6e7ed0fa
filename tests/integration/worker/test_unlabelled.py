"""From images without labels to an accuracy, and on from there, by the real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import Engine, select

from colt_core.config import PretrainConfig
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Analysis, Checkpoint, Dataset, Evaluation, Job, Leased, OodPool, SamplingRound
from store.repositories import checkpoint_work
from tests.support.claims import work_off
from tests.support.data_files import labelled_files, write_folder
from tests.support.rows import add_job
from worker.checkpoints import CheckpointFolder

CONFIG = PretrainConfig(
    backbone="resnet10", width=4, epochs=2, warmup_epochs=1, batch_size=8, sample_budget=8, num_clusters=2
)
SCANS, POOL, LABELLED = {"2024/may": 5, "2024/june": 7}, {"letters": 10}, {"cat": 10, "dog": 10}


@pytest.fixture
def data(configured: Engine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ids of the registered data."""
    monkeypatch.setenv("COLT_DATA_ROOTS", str(tmp_path / "data"))

    def register(model: type[Dataset] | type[OodPool], name: str, counts: dict[str, int], **spec: object) -> str:
        folder = write_folder(tmp_path / "data" / name, labelled_files(counts))
        row = model(name=name, spec={"source": {"kind": "path", "path": str(folder)}, **spec})
        with writing() as session:
            session.add(row)
        work_off(home, model)
        return row.id

    return {
        "dataset_id": register(Dataset, "scans", SCANS, labels=False),
        "ood_pool_id": register(OodPool, "letters", POOL),
        "evaluation_dataset_id": register(Dataset, "animals", LABELLED),
    }


def row_of(model: type[Leased], row_id: str) -> Any:
    with reading() as session:
        return session.get_one(model, row_id)


def test_images_without_labels_are_trained_on_and_evaluated_with_others(
    configured: Engine, home: Path, data: dict[str, str]
) -> None:
    scans = row_of(Dataset, data["dataset_id"])
    assert (scans.status, scans.problem, scans.num_samples, scans.labels) == ("ready", None, 12, False)
    assert scans.split_sizes == {"train": 12, "probe": 0, "val": 0, "test": 0}
    assert (scans.num_classes, scans.class_names, scans.class_counts, scans.groups) == (None,) * 4
    assert not scans.can_evaluate and row_of(Dataset, data["evaluation_dataset_id"]).can_evaluate

    values: dict[str, Any] = {"config": CONFIG.model_dump(mode="json"), "sampler": "colt", "epochs": 2, **data}
    first = add_job(configured, scans, evaluations=["knn"], **values)
    work_off(home, Job)
    shown = row_of(Job, first.id)
    assert (shown.status, shown.error) == ("succeeded", None) and shown.accuracy is not None
    with reading() as session:
        probe = session.scalars(select(Evaluation)).one()
        assert (len(probe.per_class_accuracy or []), probe.test_counts) == (2, [2, 2])
        clusters = session.scalars(select(SamplingRound)).one().clusters
        assert [cluster["class_counts"] for cluster in clusters] == [None, None]
        _, checkpoint = session.scalars(select(Checkpoint).order_by(Checkpoint.step))  # the first: of the warm-up

    with writing() as session:
        asked = checkpoint_work.add(session, Analysis, checkpoint, {"kind": "feature_map", "method": "pca"}).id
    work_off(home, Analysis)
    assert row_of(Analysis, asked).status == "succeeded"

    # On from there, as a job of its own.
    source = {"checkpoint_id": checkpoint.id, "job_id": first.id, "epoch": 2}
    longer = {**values, "config": CONFIG.model_copy(update={"seed": 1}).model_dump(mode="json"), "start_from": source}
    second = add_job(configured, scans, start_checkpoint_id=checkpoint.id, **longer)
    work_off(home, Job)
    shown = row_of(Job, second.id)
    assert (shown.status, shown.start_checkpoint_id, shown.start_from) == ("succeeded", None, source)
    with reading() as session:
        own = select(Checkpoint).where(Checkpoint.job_id == second.id).order_by(Checkpoint.step)
        begin, _, end = session.scalars(own)
    assert (begin.epoch, begin.step, end.epoch) == (0, 0, 2)
    folder = CheckpointFolder(get_artifacts(), second.id)
    begun, ended = folder.load(begin), folder.load(checkpoint)
    assert begun is not None and ended is not None
    name = "backbone.conv1.weight"
    assert torch.equal(begun["framework"][name], ended["framework"][name])
