"""A real trainer whose artifact store fails under it: a disk that is full or read-only, a store
that is away."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, func, select, update

from colt_core import CheckpointReady, PretrainConfig, pretrain
from colt_core.data import ImageDataset
from store.artifacts import Stored, get_artifacts
from store.database import reading, writing
from store.models import Checkpoint, Dataset, Evaluation, Job, JobEvent, OodPool
from tests.support.claims import work_off
from tests.support.disks import SmallDisk, small_disk
from tests.support.files import files_under
from tests.support.processes import wait_until
from tests.support.rows import add_dataset, add_job
from tests.support.runs import state_digests, values_of
from tests.support.settings import worker_settings

EPOCHS = 30
PATIENCE = 240  # seconds; the first test of a process also waits for what its trainers are forked off
LIMITED = {"full": 0.0, "at its floor": 0.25}  # the share of the disk that stays free
ROOM = 800_000  # bytes: two of its checkpoints, and a part of the third
LABELS = np.arange(48, dtype=np.int64) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (48, 3, 16, 16), dtype=np.uint8)
PARTS = {"train": np.arange(24), "probe": np.arange(24, 36), "val": np.empty(0, np.int64), "test": np.arange(36, 48)}
CONFIG = PretrainConfig(
    sampler="none", backbone="resnet10", width=4, epochs=EPOCHS, batch_size=8, checkpoint_interval=1, precision="fp32"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """What the artifacts lie on."""
    with small_disk(tmp_path / "disk", 32) as disk:
        yield disk


@pytest.fixture
def patient(
    sqlite_template: Path, home: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[float], Job]]:
    """Adds the job, on a worker that waits so many seconds for its artifact store."""
    home.mkdir()
    (home / "colt.db").write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("COLT_ARTIFACTS_URL", str(disk.path / "artifacts"))
    monkeypatch.setenv("COLT_DISK_FLOOR", "0")
    with worker_settings(home, f"sqlite:///{home / 'colt.db'}") as engine:

        def add(patience: float, config: PretrainConfig = CONFIG, images: np.ndarray = IMAGES) -> Job:
            monkeypatch.setenv("COLT_PATIENCE_SECONDS", str(patience))
            dataset = registered(engine, home, images)
            return add_job(engine, dataset, config=config.model_dump(mode="json"), epochs=config.epochs)

        yield add


def registered(engine: Engine, home: Path, images: np.ndarray) -> Dataset:
    """A data set as the registrar leaves it."""
    row = add_dataset(engine, status="ready")
    ImageDataset(images, LABELS, ("a", "b", "c"), PARTS).save(home / "made")
    key = row.folder_of("attempt")
    written = get_artifacts().take_folder(home / "made", key)
    with writing() as session:
        files = {name: {"bytes": stored.bytes, "sha256": stored.sha256} for name, stored in written.items()}
        session.execute(update(Dataset).values(files=files, stored_as=key))
    return row


def job() -> Job:
    with reading() as session:
        return session.scalars(select(Job)).one()


def log_lines() -> list[str]:
    with reading() as session:
        found = session.scalars(select(JobEvent.data).where(JobEvent.kind == "log").order_by(JobEvent.id))
        return [line for data in found for line in data["lines"]]


def checkpoints() -> list[Checkpoint]:
    with reading() as session:
        return list(session.scalars(select(Checkpoint).order_by(Checkpoint.step)))


def trains(epochs: int) -> Callable[[], bool]:
    return lambda: job().epoch >= epochs


def assert_all_whole() -> None:
    """No row names a file that is not what was written."""
    assert checkpoints()
    for row in checkpoints():
        assert get_artifacts().holds(f"{row.artifact}/checkpoint.pt", Stored(row.bytes, row.sha256))
        assert row.backbone_sha256 is not None
        backbone = f"{row.artifact}/backbone.safetensors"
        assert get_artifacts().holds(backbone, Stored(get_artifacts().size(backbone), row.backbone_sha256))


@cache
def undisturbed() -> list[tuple[str, str]]:
    """What a run that nothing disturbs ends with."""
    *_, last = [event for event in pretrain(CONFIG, IMAGES[:24]) if isinstance(event, CheckpointReady)]
    return values_of(last.state)


def assert_as_undisturbed() -> None:
    """The job ended there too, bit for bit."""
    assert (job().status, job().error) == ("succeeded", None)
    path = get_artifacts().local_path(f"{checkpoints()[-1].artifact}/checkpoint.pt")
    assert state_digests(path) == undisturbed()
    assert_all_whole()


class Trainer:
    """Works on the job in a thread, as a worker's task does."""

    def __init__(self, home: Path) -> None:
        self._thread = threading.Thread(target=work_off, args=(home, Job))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def limit(how: str, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave room for a part of the checkpoints, above a floor of the disk or not."""
    if how in LIMITED:
        monkeypatch.setenv("COLT_DISK_FLOOR", str(LIMITED[how]))
        disk.fill(leaving=ROOM + disk.floor(LIMITED[how]))


def break_store(how: str, disk: SmallDisk) -> Callable[[], None]:
    """Make the store fail after two checkpoints. Returns a function that repairs it.

    A disk fills up by itself. The others are broken while the trainer works.
    """
    if how in LIMITED:
        return disk.empty
    wait_until(trains(2), PATIENCE, "two epochs", every=0.01)
    if how == "read-only":
        wait_until(lambda: _remounted(disk), 30, "the disk is read-only")
        return disk.writable
    artifacts = disk.path / "artifacts"
    hidden = artifacts.rename(disk.path / "hidden")
    artifacts.write_bytes(b"")  # nothing can be made under it

    def mend() -> None:
        artifacts.unlink()
        hidden.rename(artifacts)

    return mend


def _remounted(disk: SmallDisk) -> bool:
    try:
        disk.read_only()
    except Exception:  # a file is being written at this moment
        return False
    return True


HOW = {
    "full": "No space left on device",
    "at its floor": "No space left on device: 25% of the disk stays free",
    "read-only": "Read-only file system",
    "away": "Not a directory|No such file or directory",  # the second for a moment, while it goes away
}


@pytest.mark.parametrize("how", HOW)
def test_training_waits_for_its_store_and_goes_on(
    patient: Callable[[float], Job], home: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    patient(120)
    limit(how, disk, monkeypatch)
    with Trainer(home):
        mend = break_store(how, disk)
        try:
            wait_until(
                lambda: any("the training waits" in line for line in log_lines()), PATIENCE, "it waits, and says so"
            )
            if how != "away":
                assert_all_whole()
        finally:
            mend()
    (said,) = [line for line in log_lines() if "the training waits" in line]
    assert said.startswith("the checkpoint of epoch ") and re.search(HOW[how], said) and str(home.parent) not in said
    assert job().attempts == 1
    assert_as_undisturbed()


@pytest.mark.parametrize("how", HOW)
def test_a_store_that_stays_away_ends_the_job_clearly_and_it_resumes(
    patient: Callable[[float], Job], home: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    patient(0.3)
    limit(how, disk, monkeypatch)
    with Trainer(home):
        mend = break_store(how, disk)
    try:
        assert (job().status, job().attempts) == ("queued", 1)
        last_good = checkpoints()[-1].step
        work_off(home, Job)
        assert job().status == "failed" and checkpoints()[-1].step == last_good
        if how == "away":
            assert str(job().error).startswith("the files of 'digits' are not in the artifact store")
        else:
            assert HOW[how] in str(job().error) and "cannot be stored" in str(job().error)
            assert_all_whole()
    finally:
        mend()
    with writing() as session:  # as POST /jobs/{id}/resume
        session.execute(update(Job).values(status="queued", attempts=0, error=None))
    work_off(home, Job)
    assert any(line.startswith("attempt 1 resumes from epoch") for line in log_lines())
    assert_as_undisturbed()


def test_a_damaged_checkpoint_is_passed_by_and_the_log_says_so(
    patient: Callable[[float], Job], home: Path, disk: SmallDisk
) -> None:
    patient(0.3)
    disk.fill(leaving=ROOM)
    work_off(home, Job)
    disk.empty()
    assert (job().status, job().attempts) == ("queued", 1)
    *_, before, last = checkpoints()
    path = disk.path / "artifacts" / last.artifact / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)  # of the same length
    work_off(home, Job)
    lines = log_lines()
    where = f"epoch {last.epoch}, step {last.step}"
    assert f"the checkpoint of {where} is missing or damaged: it is not used" in lines
    assert f"attempt 2 resumes from epoch {before.epoch}, step {before.step}" in lines
    assert_as_undisturbed()


def test_a_last_checkpoint_that_is_damaged_is_trained_again_before_it_is_evaluated(
    patient: Callable[[float], Job], home: Path, disk: SmallDisk
) -> None:
    patient(0.3)
    with writing() as session:  # a probe that nothing can satisfy ends the job behind its training
        session.execute(update(Job).values(evaluations=["no such probe"]))
    work_off(home, Job)
    assert job().status == "failed" and checkpoints()[-1].epoch == EPOCHS
    (disk.path / "artifacts" / checkpoints()[-1].artifact / "checkpoint.pt").unlink()
    with writing() as session:
        session.execute(update(Job).values(status="queued", attempts=0, error=None, evaluations=["knn"]))
    work_off(home, Job)
    assert any("missing or damaged" in line for line in log_lines())
    with reading() as session:
        evaluated = session.scalars(select(Evaluation)).one()
    assert (evaluated.status, evaluated.epoch) == ("succeeded", EPOCHS)
    assert_as_undisturbed()


def test_damaged_data_are_not_trained_on(patient: Callable[[float], Job], home: Path, disk: SmallDisk) -> None:
    patient(0.3)
    (images,) = (disk.path / "artifacts").glob("datasets/*/*/images.npy")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    work_off(home, Job)
    assert job().status == "failed" and job().attempts == 1
    assert "images.npy" in str(job().error) and "damaged" in str(job().error)
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Checkpoint)) == 0


def test_data_that_are_away_are_tried_again(patient: Callable[[float], Job], home: Path, disk: SmallDisk) -> None:
    patient(0.3)
    artifacts = disk.path / "artifacts"
    hidden = artifacts.rename(disk.path / "hidden")  # as a disk that is not mounted
    work_off(home, Job)
    assert (job().status, job().attempts) == ("queued", 1)
    assert "attempt 1 failed: the files of 'digits' are not in the artifact store" in log_lines()
    hidden.rename(artifacts)
    work_off(home, Job)
    assert_as_undisturbed()


def test_a_diverged_job_names_the_epoch_and_its_last_good_checkpoint(patient: Callable[..., Job], home: Path) -> None:
    settings: dict[str, Any] = {"learning_rate": 100, "weight_decay": 1, "momentum": 0.99, "lr_warmup_epochs": 0}
    patient(0.3, PretrainConfig.model_validate(CONFIG.model_dump() | settings))
    work_off(home, Job)
    assert (job().status, job().attempts) == ("failed", 1)
    last = checkpoints()[-1]
    error = str(job().error)
    assert error.startswith(f"the loss is nan in epoch {last.epoch + 1}, step "), error
    assert f"The last good checkpoint is of epoch {last.epoch}, step {last.step}" in error
    assert "change the setting in a new job" in error
    assert job().loss is not None and np.isfinite(job().loss or np.nan)
    assert_all_whole()


@pytest.mark.parametrize(("images", "codes"), [(IMAGES, []), (np.zeros_like(IMAGES), ["collapse"])])
def test_a_collapsed_job_says_so_and_one_that_learns_does_not(
    patient: Callable[..., Job], home: Path, images: np.ndarray, codes: list[str]
) -> None:
    patient(0.3, CONFIG.model_copy(update={"epochs": 3, "lr_warmup_epochs": 1}), images)
    work_off(home, Job)
    assert job().status == "succeeded"
    assert [warning["code"] for warning in job().warnings or []] == codes
    with reading() as session:
        told = list(session.scalars(select(JobEvent.data).where(JobEvent.kind == "warning")))
    assert [data["code"] for data in told] == codes
    assert [line.startswith("warning: After epoch ") for line in log_lines()].count(True) == len(codes)


@pytest.mark.parametrize(
    ("megabytes", "left", "attempts", "said"),
    [
        (40, 12, 2, "No space left on device"),
        (40, 19, 2, "No space left on device: 5% of the disk stays free (COLT_DISK_FLOOR)"),
        (12, None, 1, "the images take 18,432,000 bytes, and the disk has 11,953,766; choose a smaller image_size"),
    ],
    ids=["full", "at its floor", "too small"],
)
def test_a_registration_without_room_fails_clearly_and_leaves_nothing(
    sqlite_template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    megabytes: int,
    left: int | None,
    attempts: int,
    said: str,
) -> None:
    np.save(tmp_path / "pool.npy", np.zeros((6000, 32, 32), dtype=np.uint8))  # 18 MB as three channels
    monkeypatch.setenv("COLT_DATA_ROOTS", str(tmp_path))
    with small_disk(tmp_path / "home", megabytes) as disk:
        if left is not None:
            disk.fill(leaving=left * 10**6)
        (disk.path / "colt.db").write_bytes(sqlite_template.read_bytes())
        with worker_settings(disk.path, f"sqlite:///{disk.path / 'colt.db'}"):
            with writing() as session:
                source = {"kind": "path", "path": str(tmp_path / "pool.npy")}
                session.add(OodPool(name="pool", spec={"source": source, "image_size": 32}))
            for _ in range(attempts):
                work_off(disk.path, OodPool)
            with reading() as session:
                row = session.scalars(select(OodPool)).one()
            assert row.status == "failed" and row.problem is not None
            assert said in row.problem["detail"]
            assert not files_under(disk.path / "artifacts")
