from __future__ import annotations

import hashlib
import logging
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.artifacts import ArtifactDamaged, ArtifactStore, ArtifactsUnavailable, Stored
from store.digests import SETTLED_SECONDS
from store.models import new_id
from tests.support.disks import small_disk
from tests.support.files import files_under


@pytest.fixture(params=["folder", "elsewhere"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """A store in a folder, and one that is no folder (as S3 is none), whose files must be
    fetched."""
    url = str(tmp_path / "artifacts") if request.param == "folder" else f"memory://colt-{new_id()}"
    return ArtifactStore(url, tmp_path / "cache")


def read(artifacts: ArtifactStore, key: str) -> bytes:
    with artifacts.open(key) as file:
        return file.read()


def test_what_is_written_is_read(artifacts: ArtifactStore) -> None:
    stored = artifacts.write("uploads/a/data.bin", [b"one", b"", b"two"])
    assert (stored.bytes, stored.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())
    assert read(artifacts, "uploads/a/data.bin") == b"onetwo"
    assert artifacts.size("uploads/a/data.bin") == 6
    with artifacts.open("uploads/a/data.bin") as file:
        file.seek(3)
        assert file.read() == b"two"


def test_parts_of_files_are_read(artifacts: ArtifactStore) -> None:
    artifacts.write("a/x", [b"0123456789"])
    artifacts.write("a/y", [b"abc"])
    assert artifacts.read_ranges([("a/x", 2, 5), ("a/y", 0, 3), ("a/x", 9, 10)]) == [b"234", b"abc", b"9"]
    assert artifacts.read_ranges([]) == []
    with pytest.raises(FileNotFoundError, match="a/z"):
        artifacts.read_ranges([("a/x", 0, 1), ("a/z", 0, 1)])
    with pytest.raises(ArtifactsUnavailable, match="a/y has fewer than 4 bytes"):
        artifacts.read_ranges([("a/y", 1, 4)])
    assert artifacts.delete("a") == 13


def test_a_second_write_takes_the_place_of_the_first(artifacts: ArtifactStore) -> None:
    artifacts.write("a/b", [b"old and long"])
    artifacts.write("a/b", [b"new"])
    assert read(artifacts, "a/b") == b"new"


def test_a_write_that_breaks_off_leaves_nothing(artifacts: ArtifactStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        artifacts.write("uploads/a/data.bin", chunks())
    with pytest.raises(FileNotFoundError), artifacts.open("uploads/a/data.bin"):
        pass
    assert artifacts._fs.find(artifacts._root) == []


def test_files_and_folders_have_local_paths(artifacts: ArtifactStore, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "images.npy").write_bytes(b"images")
    (folder / "meta.json").write_bytes(b"{}")
    artifacts.take_folder(folder, "datasets/d")
    for _ in range(2):  # fetched, then from the cache
        local = artifacts.local_path("datasets/d")
        assert {path.name: path.read_bytes() for path in local.iterdir()} == {
            "images.npy": b"images",
            "meta.json": b"{}",
        }
        assert artifacts.local_path("datasets/d/meta.json").read_bytes() == b"{}"


def test_deleted_is_gone_from_store_and_cache(artifacts: ArtifactStore) -> None:
    artifacts.write("datasets/d/meta.json", [b"{}"])
    artifacts.write("uploads/u/x.zip", [b"zip"])
    artifacts.local_path("datasets/d")
    artifacts.local_path("uploads/u/x.zip")
    artifacts.delete("datasets/d")
    artifacts.delete("uploads/u/x.zip")
    artifacts.delete("datasets/d")  # no error
    for key in ("datasets/d", "datasets/d/meta.json", "uploads/u/x.zip"):
        with pytest.raises(FileNotFoundError):
            artifacts.local_path(key)


def test_the_check_leaves_nothing(artifacts: ArtifactStore) -> None:
    artifacts.check()
    assert artifacts._fs.find(artifacts._root) == []


def test_a_store_that_cannot_be_written_fails_its_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactsUnavailable, match="Not a directory"):
        ArtifactStore(str(tmp_path / "file" / "below"), tmp_path / "cache").check()


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/./b"])
def test_keys_stay_inside(artifacts: ArtifactStore, key: str) -> None:
    with pytest.raises(ValueError, match="artifact key"):
        artifacts.write(key, [b"x"])
    with pytest.raises(ValueError, match="artifact key"):
        artifacts.delete(key)


def test_what_was_written_in_events_from_anything_else(artifacts: ArtifactStore) -> None:
    stored = artifacts.write("jobs/j/state", [b"what was written"])
    assert artifacts.holds("jobs/j/state", stored)
    for content in (b"what was wRitten", b"what was", b""):
        artifacts.write("jobs/j/state", [content])
        assert not artifacts.holds("jobs/j/state", stored)
        with pytest.raises(ArtifactDamaged):
            artifacts.whole_path("jobs/j/state", stored)
    artifacts.write("jobs/j/state", [b"what ", b"was written"])
    assert artifacts.whole_path("jobs/j/state", stored).read_bytes() == b"what was written"
    artifacts.delete("jobs/j/state")
    for read_whole in (artifacts.whole_path, artifacts.holds):
        with pytest.raises(FileNotFoundError):
            read_whole("jobs/j/state", stored)


def test_a_cached_copy_of_what_was_written_anew_is_fetched_again(artifacts: ArtifactStore) -> None:
    first = artifacts.write("jobs/j/state", [b"first"])
    assert artifacts.whole_path("jobs/j/state", first).read_bytes() == b"first"
    second = artifacts.write("jobs/j/state", [b"again"])  # as by another machine, which knows nothing of this cache
    assert artifacts.whole_path("jobs/j/state", second).read_bytes() == b"again"


def test_a_file_is_written_in_parts_and_seen_once_it_is_whole(artifacts: ArtifactStore) -> None:
    with artifacts.writing("jobs/j/state") as file:
        for part in (b"one", memoryview(b"two")):
            file.write(part)
        with pytest.raises(FileNotFoundError):
            artifacts.size("jobs/j/state")
    assert file.stored == Stored(6, hashlib.sha256(b"onetwo").hexdigest())
    assert read(artifacts, "jobs/j/state") == b"onetwo"
    with pytest.raises(KeyError), artifacts.writing("jobs/j/state") as file:
        file.write(b"half")
        raise KeyError
    assert read(artifacts, "jobs/j/state") == b"onetwo"
    assert len(artifacts._fs.find(artifacts._root)) == 1


def test_what_was_read_whole_is_not_read_again(
    artifacts: ArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """But for a file that somebody else wrote a moment ago, and for what looks for damage."""
    caplog.set_level(logging.DEBUG, "worker")
    artifacts.remember_digests(tmp_path / "digests")
    stored = artifacts.write("datasets/d/images.npy", [b"images"])
    path = artifacts.whole_path("datasets/d/images.npy", stored)
    if path.is_relative_to(tmp_path / "artifacts"):
        time.sleep(SETTLED_SECONDS + 0.1)
        artifacts.whole_path("datasets/d/images.npy", stored)
    before = len(caplog.records)
    for _ in range(3):
        assert artifacts.whole_folder("datasets/d", {"images.npy": stored}) == path.parent
    assert len(caplog.records) == before > 0
    path.write_bytes(b"imaGes")
    assert artifacts.holds("datasets/d/images.npy", stored) is not path.is_relative_to(tmp_path / "artifacts")
    if path.is_relative_to(tmp_path / "artifacts"):
        with pytest.raises(ArtifactDamaged):
            artifacts.whole_path("datasets/d/images.npy", stored)
    else:  # the copy is damaged, not what is stored
        assert artifacts.whole_path("datasets/d/images.npy", stored).read_bytes() == b"images"


def test_of_a_folder_only_what_is_asked_for_is_looked_at(artifacts: ArtifactStore) -> None:
    labels = artifacts.write("datasets/d/labels.npy", [b"labels"])
    images = artifacts.write("datasets/d/images.npy", [b"damaged"])
    folder = artifacts.whole_folder("datasets/d", {"labels.npy": labels})
    assert (folder / "labels.npy").read_bytes() == b"labels"
    artifacts.delete("datasets/d/images.npy")
    assert artifacts.whole_folder("datasets/d", {"labels.npy": labels}) == folder
    with pytest.raises(FileNotFoundError, match=r"^datasets/d/images\.npy$"):
        artifacts.whole_folder("datasets/d", {"labels.npy": labels, "images.npy": images})
    assert not (folder / "images.npy").exists()


def test_a_local_file_is_taken_and_not_copied(tmp_path: Path) -> None:
    artifacts = ArtifactStore(str(tmp_path / "artifacts"), tmp_path / "cache")
    made = tmp_path / "images.npy"
    made.write_bytes(b"images")
    inode = made.stat().st_ino
    assert artifacts.take_file(made, "datasets/d/images.npy") == Stored(6, hashlib.sha256(b"images").hexdigest())
    assert not made.exists()
    (taken,) = files_under(tmp_path / "artifacts")
    assert (taken.name, taken.stat().st_ino, taken.read_bytes()) == ("images.npy", inode, b"images")


def test_a_local_file_of_another_disk_is_copied(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        artifacts = ArtifactStore(str(disk.path / "artifacts"), tmp_path / "cache")
        made = tmp_path / "images.npy"
        made.write_bytes(b"images")
        assert artifacts.take_file(made, "datasets/d/images.npy") == Stored(6, hashlib.sha256(b"images").hexdigest())
        assert not made.exists() and read(artifacts, "datasets/d/images.npy") == b"images"
        made.write_bytes(bytes(2**21))
        with pytest.raises(ArtifactsUnavailable, match="No space left on device"):
            artifacts.take_file(made, "datasets/d/more.npy")
        assert [path.name for path in files_under(disk.path)] == ["images.npy"]


def test_a_folder_is_whole_or_names_the_file_that_is_not(artifacts: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    for name in ("images.npy", "labels.npy"):
        (tmp_path / "made" / name).write_bytes(name.encode())
    written = artifacts.take_folder(tmp_path / "made", "datasets/d")
    assert written["labels.npy"] == Stored(10, hashlib.sha256(b"labels.npy").hexdigest())
    artifacts.write("datasets/d/labels.npy", [b"abels.npyl"])
    with pytest.raises(ArtifactDamaged, match=r"datasets/d/labels\.npy"):
        artifacts.whole_folder("datasets/d", written)
    artifacts.write("datasets/d/labels.npy", [b"labels.npy"])
    folder = artifacts.whole_folder("datasets/d", written)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: name.encode() for name in written}


@pytest.mark.parametrize("bytes_left", [0, 100_000])
def test_a_disk_that_takes_no_more_says_so_and_leaves_nothing(tmp_path: Path, bytes_left: int) -> None:
    artifacts = ArtifactStore(str(tmp_path / "artifacts"), tmp_path / "cache")
    artifacts.write("a/b", [b"old"])
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, unlimited[1]))
    try:
        with pytest.raises(ArtifactsUnavailable, match="the artifact store cannot be used: File too large"):
            artifacts.write("a/b", [bytes(70_000), bytes(70_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert read(artifacts, "a/b") == b"old"
    assert [path.name for path in (tmp_path / "artifacts").rglob("*")] == ["a", "b"]
