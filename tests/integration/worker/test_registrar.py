"""Registrations by the real process: what good data become, and what is left of bad data."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from colt_core.data import ImageDataset, ImagePool
from store import leases
from store.artifacts import Stored, get_artifacts
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Dataset, Leased, OodPool, Upload, utc_now
from tests.support.bytes_counted import counted_with_children
from tests.support.claims import work_off
from tests.support.data_files import encoded, hash_of, labelled_files, pixels, png, write_folder
from tests.support.deep import nested_folders
from tests.support.rows import add_dataset
from tests.support.settings import settings_of
from worker.child import Interrupt
from worker.claiming import take
from worker.folder import WorkerFolder
from worker.handover import SCRATCH
from worker.reconciler import recover
from worker.registrar import register
from worker.supervisor import supervise


def upload(files: dict[str, bytes], filename: str = "data.zip") -> str:
    """An upload as the API leaves it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return upload_bytes(buffer.getvalue(), filename)


def upload_bytes(content: bytes, filename: str) -> str:
    row = Upload(filename=filename, bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), artifact="")
    with writing() as session:
        session.add(row)
        session.flush()
        row.artifact = f"uploads/{row.id}/{filename}"
        get_artifacts().write(row.artifact, [content])
    return row.id


IMAGES = {f"{name}/{number}.png": png(number) for name in ("cat", "dog") for number in range(10)}


def dataset_of(source: Mapping[str, object], **spec: object) -> Dataset:
    return Dataset(name="animals", spec={"source": source, "image_size": None, "long_tail": None, "seed": 0, **spec})


def add(row: Dataset | OodPool) -> None:
    with writing() as session:
        session.add(row)


def test_images_that_are_large_for_their_file_are_refused_before_they_are_read(
    configured: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_LARGE_DATA_BYTES", "1000000")
    source = {"kind": "upload", "upload_id": upload(IMAGES)}
    for accepted, status in ((False, "failed"), (True, "ready")):
        row = OodPool(name="pool", spec={"source": source, "image_size": 256, "accept_cost": accepted})
        add(row)
        work_off(home, OodPool)
        with reading() as session:
            found = session.get_one(OodPool, row.id)
        assert found.status == status
        if not accepted:
            assert found.problem is not None
            assert "take 3,932,160 bytes, more than 1 MB" in found.problem["detail"]
            assert '"accept_cost": true' in found.problem["detail"]
    assert artifacts_under(home, f"ood_pools/{row.id}")


def artifacts_under(home: Path, folder: str) -> list[str]:
    root = home / "artifacts" / folder
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_an_upload_becomes_a_data_set(configured: Engine, home: Path) -> None:
    long_tail = {"profile": "exp", "imbalance_ratio": 4, "max_per_class": 8}
    source = {"kind": "upload", "upload_id": upload(IMAGES)}
    add(dataset_of(source, long_tail=long_tail, test_fraction=0.2))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert (row.status, row.progress, row.problem, row.lease_token) == ("ready", 1.0, None, None)
    assert (row.num_classes, row.class_names, row.class_counts) == (2, ["cat", "dog"], [8, 2])
    assert row.image_size == 16 and row.split_sizes is not None and row.split_sizes["test"] == 4
    assert row.groups == {"many": [0], "medium": [], "few": [1]}
    stored = ImageDataset.load(home / "artifacts" / row.artifact)
    assert stored.class_counts == [8, 2] and len(stored.images) == row.num_samples
    assert row.probe_counts == stored.counts("probe")


def test_an_uploaded_list_of_indices_is_the_training_part(configured: Engine, home: Path) -> None:
    source = {"kind": "upload", "upload_id": upload(IMAGES)}
    add(dataset_of(source, long_tail={"profile": "indices", "upload_id": upload_bytes(b"0\n1\n2\n9\n", "kept.txt")}))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "ready", row.problem
    assert row.split_sizes is not None and row.split_sizes["train"] == 4


PLACES = {"a/airfield": 4, "a/apartment_building/outdoor": 5, "b/bar": 6}
LISTED = [("b/bar", 2), ("a/apartment_building/outdoor", 0), ("b/bar", 0)]


def test_an_uploaded_split_list_chooses_images_and_classes_of_nested_folders(configured: Engine, home: Path) -> None:
    source = {"kind": "upload", "upload_id": upload(labelled_files(PLACES, "places/data_256/"))}
    label = {"b/bar": 7, "a/apartment_building/outdoor": 2}
    lines = "".join(f"data_large/{name}/{number}.png {label[name]}\n" for name, number in LISTED)
    add(dataset_of(source, long_tail={"profile": "indices", "upload_id": upload_bytes(lines.encode(), "split.txt")}))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "ready", row.problem
    assert (row.class_names, row.class_counts) == (["a/apartment_building/outdoor", "b/bar"], [1, 2])
    assert row.split_sizes == {"train": 3, "probe": 9, "val": 0, "test": 2}
    stored = ImageDataset.load(home / "artifacts" / row.artifact)
    images, labels = stored.part("train")
    kept = {
        (stored.class_names[c], image.tobytes()) for image, c in zip(images.transpose(0, 2, 3, 1), labels, strict=True)
    }
    assert kept == {(name, pixels(hash_of("places/data_256/", name, number)).tobytes()) for name, number in LISTED}


def test_published_lists_are_the_parts_and_the_answer_says_the_layout(configured: Engine, home: Path) -> None:
    """The published test list could not be given (BalancedMetaSoftmax#9)."""
    train = "".join(
        f"{name}/{number}.png {label}\n" for label, name in enumerate(("dog", "cat")) for number in range(6)
    )
    test = "path,label\n" + "".join(f"{name}/9.png,{label}\n" for label, name in enumerate(("dog", "cat")))
    lists = {"train": upload_bytes(train.encode(), "train.txt"), "test": upload_bytes(test.encode(), "test.csv")}
    add(dataset_of({"kind": "upload", "upload_id": upload(IMAGES)}, lists=lists, label_names={"dog": "hound"}))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "ready", row.problem
    assert (row.layout, row.class_names, row.class_counts) == ("lists", ["hound", "cat"], [6, 6])
    assert row.split_sizes is not None and row.split_sizes["test"] == 2


def test_a_list_that_does_not_fit_fails_by_its_file_and_line(configured: Engine, home: Path) -> None:
    lists = {"train": upload_bytes(b"cat/0.png 0\ndog/77.png 1\n", "train.txt")}
    add(dataset_of({"kind": "upload", "upload_id": upload(IMAGES)}, lists=lists))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.problem is not None
    assert row.problem["detail"].startswith("line 2 of 'train.txt' names 'dog/77.png', which is not among the images")


def test_what_the_pixels_tell_is_on_the_row(configured: Engine, home: Path) -> None:
    deep = {f"cat/{low}.png": encoded(np.linspace(low, 4000, 64).astype(np.uint16).reshape(8, 8)) for low in range(9)}
    source = {"kind": "upload", "upload_id": upload({**deep, "owl/1.png": deep["cat/0.png"]})}
    add(dataset_of(source, bit_depth="scale", test="none"))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "ready" and row.warnings is not None, row.problem
    assert row.value_range == [0, 4000] == row.spec["value_range"] and row.spec["seed"] == 0
    assert [warning["code"] for warning in row.warnings][-1] == "same_image_under_two_labels"
    assert row.no_evaluation is not None and "has no test part" in row.no_evaluation


def test_a_folder_on_the_server_becomes_a_pool(configured: Engine, home: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "pool" / "deep").mkdir(parents=True)
    for number in range(3):
        (root / "pool" / "deep" / f"{number}.png").write_bytes(png(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLT_DATA_ROOTS", os.pathsep.join([str(root)]))
        source = {"kind": "path", "path": str(root / "pool")}
        add(OodPool(name="pool", spec={"source": source, "image_size": 8, "layout": "folders"}))
        work_off(home, OodPool)
    with reading() as session:
        row = session.scalars(select(OodPool)).one()
    assert (row.status, row.num_samples, row.image_size) == ("ready", 3, 8), row.problem
    assert (row.layout, row.warnings) == ("folders", [])
    assert len(ImagePool.load(home / "artifacts" / row.artifact)) == 3


def test_registered_images_are_written_once(configured: Engine, home: Path, tmp_path: Path) -> None:
    """A copy of the file would be counted too."""
    np.save(tmp_path / "pool.npy", np.arange(20_000, dtype=np.uint32).view(np.uint8).repeat(256).reshape(-1, 32, 32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLT_DATA_ROOTS", str(tmp_path))
        add(OodPool(name="pool", spec={"source": {"kind": "path", "path": str(tmp_path / "pool.npy")}}))
        before = counted_with_children("wchar")
        work_off(home, OodPool)
        written = counted_with_children("wchar") - before
    with reading() as session:
        row = session.scalars(select(OodPool)).one()
    assert row.status == "ready" and row.files, row.problem
    size = row.files["images.npy"]["bytes"]
    assert size > 60_000_000 and written < 1.1 * size, f"{written:,} bytes written"
    for name, stored in row.files.items():
        assert get_artifacts().holds(f"{row.artifact}/{name}", Stored(**stored)), name
    assert artifacts_under(home, "ood_pools") == ["digests.npy", "images.npy", "meta.json"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**IMAGES, "cat/bad.png": b"no image"}, "cat/bad.png"),
        ({**IMAGES, "../evil.png": png(1)}, "evil.png"),
        ({name: content for name, content in IMAGES.items() if name.startswith("cat")}, "one class"),
    ],
)
def test_bad_data_fail_with_a_clear_problem_and_leave_nothing(
    configured: Engine, home: Path, files: dict[str, bytes], words: str
) -> None:
    add(dataset_of({"kind": "upload", "upload_id": upload(files)}))
    work_off(home, Dataset)
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "failed" and row.problem is not None
    assert set(row.problem) == {"type", "title", "status", "detail"}
    assert words in row.problem["detail"] and str(home) not in row.problem["detail"]
    assert artifacts_under(home, "datasets") == []
    assert artifacts_under(home, "uploads") == ["data.zip"]


def the_problem() -> str:
    """The problem of the one data set, whose only attempt failed."""
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert (row.status, row.attempts, row.faults, row.lease_token) == ("failed", 1, 0, None)
    assert row.problem is not None and row.problem["status"] == 422
    return str(row.problem["detail"])


def add_with(environment: dict[str, str], source: dict[str, str], home: Path) -> None:
    """Register with these settings beside the usual ones."""
    with settings_of(environment):
        add(dataset_of(source))
        work_off(home, Dataset)


def test_folders_nested_without_end_are_the_users_error_at_the_first_try(
    configured: Engine, home: Path, tmp_path: Path
) -> None:
    with nested_folders(tmp_path / "root/d"):
        source = {"kind": "path", "path": str(tmp_path / "root/d")}
        add_with({"COLT_DATA_ROOTS": str(tmp_path / "root")}, source, home)
    assert "lies within more than 100 folders; move it up" in the_problem()


def test_the_operator_bounds_the_entries_that_are_looked_at(configured: Engine, home: Path, tmp_path: Path) -> None:
    source = {"kind": "path", "path": str(write_folder(tmp_path / "root/d", IMAGES))}
    add_with({"COLT_DATA_ROOTS": str(tmp_path / "root"), "COLT_MAX_ENTRIES": "21"}, source, home)
    assert "more than 21 files and folders; split it up" in the_problem()  # 20 images in two folders


def test_a_registration_ends_at_its_time_limit(configured: Engine, home: Path) -> None:
    source = {"kind": "upload", "upload_id": upload(IMAGES)}
    add_with({"COLT_REGISTRATION_SECONDS": "0.01", "COLT_POLL_SECONDS": "0.01"}, source, home)
    assert the_problem().startswith("The registration took longer than 0.01 s.")
    assert artifacts_under(home, "datasets") == []


def test_a_data_set_deleted_while_it_is_registered_leaves_nothing(configured: Engine, home: Path) -> None:
    row = add_dataset(configured)
    folder = WorkerFolder(home, "me")
    with folder.create():
        lease = take(Dataset, "me")
        assert lease is not None
        with writing() as session:
            session.delete(session.get_one(Dataset, row.id))
        supervise(lease, folder)
        assert list((folder.path / "scratch").iterdir()) == []
    assert artifacts_under(home, "datasets") == []


def test_a_late_registrar_does_not_replace_the_files_of_another(
    configured: Engine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(dataset_of({"kind": "upload", "upload_id": upload(IMAGES)}))
    late = take(Dataset, "late")
    assert late is not None
    held = leases.held

    def paused(session: Session, lease: Lease) -> Leased:
        """The late one stops behind its look at the lease; another registers meanwhile, and decodes
        differently."""
        row = held(session, lease)
        session.commit()
        monkeypatch.setattr(leases, "held", held)
        with writing() as other:
            other.get_one(Dataset, lease.id).lease_expires_at = utc_now()
        with writing() as other:
            recover(other)
            other.get_one(Dataset, lease.id).spec = row.spec | {"image_size": 8}
        work_off(home, Dataset)
        return row

    monkeypatch.setattr(leases, "held", paused)
    monkeypatch.setenv(SCRATCH, str(tmp_path))
    with pytest.raises(LeaseLost):
        register(late, Interrupt())
    with reading() as session:
        row = session.scalars(select(Dataset)).one()
    assert row.status == "ready" and row.image_size == 8 and row.files
    for name, written in row.files.items():
        assert get_artifacts().holds(f"{row.artifact}/{name}", Stored(**written)), name
