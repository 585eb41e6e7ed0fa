"""Which files are orphans, on each engine; and which only look like it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from store.artifacts import ArtifactStore
from store.database import writing
from store.models import Checkpoint, Dataset, Job, RoundScores, SamplingRound, Upload, new_id
from store.orphans import find_orphans
from tests.support.rows import add_dataset, add_job

HOUR = 3600.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def artifacts(root: Path, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(root), tmp_path / "cache")


def write(root: Path, key: str, age: float = 2 * HOUR) -> str:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age, time.time() - age))
    return key


def test_what_no_row_names_is_an_orphan_once_it_is_old(root: Path, artifacts: ArtifactStore, engine: Engine) -> None:
    dataset = add_dataset(engine, status="ready")
    job = add_job(engine, dataset)
    kept = f"jobs/{job.id}/checkpoints/1-4-0-aa"
    with writing(engine) as session:
        session.add(Checkpoint(job_id=job.id, epoch=1, step=4, artifact=kept, bytes=1, sha256="s"))
        session.add(Upload(id="u", filename="a.zip", bytes=1, sha256="s", artifact="uploads/u/a.zip"))
        of_round = {"epoch": 1, "step": 4, "clusters": [], "num_selected": 0, "seconds": 0.0, "id_cluster": b""}
        session.add(SamplingRound(job_id=job.id, round=1, **of_round))
        session.flush()
        scores = f"jobs/{job.id}/rounds/1-aa.scores"
        written = {"images": 0, "file": scores, "bytes": 1, "sha256": "s", "picks": b""}
        session.add(RoundScores(job_id=job.id, round=1, **written))
    for key in (scores, f"{kept}/checkpoint.pt", f"{dataset.artifact}/images.npy", "uploads/u/a.zip"):
        write(root, key)
    write(root, "uploads/young/a.zip", age=60)
    write(root, f"{dataset.artifact}/labels.npy.{new_id()}.partial", age=60)
    write(root, "README")  # not ours
    write(root, "other/jobs/x/checkpoints/y/z")
    write(root, f"jobs/{job.id}/notes.txt")
    assert find_orphans(artifacts, HOUR, engine) == []

    half = write(root, f"{dataset.artifact}/images.npy.{new_id()}.partial")
    for key in (
        f"jobs/{job.id}/checkpoints/2-8-0-bb/backbone.safetensors",
        "jobs/deleted/checkpoints/1-4-0-cc/checkpoint.pt",
        f"jobs/{job.id}/rounds/1-bb.scores",
        "datasets/deleted/images.npy",
        f"{add_dataset(engine, id='failed', status='failed').artifact}/images.npy",
        "ood_pools/deleted/images.npy",
        f"uploads/broken-off/a.zip.{new_id()}.partial",
        "health/123",
    ):
        write(root, key)
    assert find_orphans(artifacts, HOUR, engine) == sorted(
        [
            half,
            f"jobs/{job.id}/checkpoints/2-8-0-bb",
            f"jobs/{job.id}/rounds/1-bb.scores",
            "jobs/deleted/checkpoints/1-4-0-cc",
            "datasets/deleted",
            "datasets/failed",
            "ood_pools/deleted",
            "uploads/broken-off",
            "health/123",
        ]
    )


def test_one_young_file_keeps_its_folder(root: Path, artifacts: ArtifactStore, engine: Engine) -> None:
    write(root, "uploads/new/part")
    write(root, "uploads/new/a.zip", age=1)
    assert find_orphans(artifacts, HOUR, engine) == []


def test_nothing_is_taken_from_a_job_that_somebody_works_on(
    root: Path, artifacts: ArtifactStore, engine: Engine
) -> None:
    job = add_job(engine, add_dataset(engine, status="ready"), status="running", lease_token="token")
    folder = f"jobs/{job.id}/checkpoints/2-8-0-bb"
    write(root, f"{folder}/checkpoint.pt")
    assert find_orphans(artifacts, HOUR, engine) == []
    with writing(engine) as session:
        session.execute(update(Job).values(lease_token=None))
    assert find_orphans(artifacts, HOUR, engine) == [folder]


def test_of_a_data_set_the_attempt_that_holds_it_and_the_one_that_ended_well_are_kept(
    root: Path, artifacts: ArtifactStore, engine: Engine
) -> None:
    dataset = add_dataset(engine, lease_token="holds")
    ready = write(root, f"{dataset.folder}/holds/images.npy").rpartition("/")[0]
    lost = write(root, f"{dataset.folder}/lost/images.npy").rpartition("/")[0]
    assert find_orphans(artifacts, HOUR, engine) == [lost]
    with writing(engine) as session:
        session.execute(update(Dataset).values(status="ready", lease_token=None, stored_as=ready))
    assert find_orphans(artifacts, HOUR, engine) == [lost]
    with writing(engine) as session:
        session.execute(update(Dataset).values(status="failed"))
    assert find_orphans(artifacts, HOUR, engine) == sorted([ready, lost])


def test_a_store_without_a_folder_has_none(artifacts: ArtifactStore, engine: Engine) -> None:
    assert find_orphans(artifacts, HOUR, engine) == []


def test_objects_of_a_remote_store_have_an_age_too(engine: Engine, tmp_path: Path) -> None:
    artifacts = ArtifactStore(f"memory://orphans-{new_id()}", tmp_path / "cache")
    artifacts.write("datasets/deleted/images.npy", [b"x"])
    assert find_orphans(artifacts, HOUR, engine) == []
    assert find_orphans(artifacts, -1, engine) == ["datasets/deleted"]
