"""What files hold is remembered by real processes, and a file that changed is read again."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from store.digests import DigestMemory
from tests.support.processes import REPOSITORY

SETTLED_SECONDS = 0.2  # of a file system whose clock ticks often enough
OLD = b"what was written"
NEW = b"what was wRitten"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def memory(tmp_path: Path) -> DigestMemory:
    return remembering(tmp_path / "digests")


def remembering(folder: Path) -> DigestMemory:
    return DigestMemory(folder, SETTLED_SECONDS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is old enough to be remembered."""
    path = tmp_path / "images.npy"
    path.write_bytes(OLD)
    time.sleep(SETTLED_SECONDS + 0.1)
    return path


@pytest.fixture
def readings(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """How often a file was read to its end so far."""
    caplog.set_level(logging.DEBUG, "worker")
    return lambda: sum("to its end" in record.getMessage() for record in caplog.records)


def test_an_unchanged_file_is_read_once(
    memory: DigestMemory, file: Path, tmp_path: Path, readings: Callable[[], int]
) -> None:
    for _ in range(3):
        assert memory.sha256(file) == digest(OLD)
    assert remembering(tmp_path / "digests").sha256(file) == digest(OLD), "another process of the worker"
    assert readings() == 1
    assert remembering(tmp_path / "of another worker").sha256(file) == digest(OLD)
    assert readings() == 2


def rewritten(path: Path) -> None:
    path.write_bytes(NEW)


def rewritten_with_its_time_restored(path: Path) -> None:
    before = path.stat()
    path.write_bytes(NEW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    path.rename(path.with_suffix(".kept"))  # so that its inode is not given to the other
    path.write_bytes(NEW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut_short(path: Path) -> None:
    before = path.stat()
    path.write_bytes(OLD[:4])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_time_restored, replaced, cut_short])
def test_a_changed_file_is_read_again(
    memory: DigestMemory, file: Path, readings: Callable[[], int], change: Callable[[Path], None]
) -> None:
    memory.sha256(file)
    change(file)
    assert memory.sha256(file) == digest(file.read_bytes()) != digest(OLD)
    assert readings() == 2


def test_a_young_file_is_not_remembered(tmp_path: Path, readings: Callable[[], int]) -> None:
    memory = DigestMemory(tmp_path / "digests", settled_seconds=60)
    path = tmp_path / "young"
    with path.open("wb", buffering=0) as file:
        for count in range(100):  # some of these changes fall into one tick of the clock
            content = b"%04d" % count
            os.pwrite(file.fileno(), content, 0)
            assert memory.sha256(path) == memory.sha256(path) == digest(content)
    assert readings() == 200
    own = tmp_path / "own"
    own.write_bytes(OLD)
    for _ in range(2):
        assert memory.sha256(own, own=True) == digest(OLD)
    assert readings() == 201


HASHING = """
import logging, sys
from pathlib import Path
from store.digests import DigestMemory
logging.basicConfig(level="DEBUG")
print(DigestMemory(Path(sys.argv[1]), float(sys.argv[3])).sha256(Path(sys.argv[2])))
"""


def test_processes_that_come_at_once_read_it_once(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**27)
    time.sleep(SETTLED_SECONDS + 0.1)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HASHING, str(tmp_path / "digests"), str(path), str(SETTLED_SECONDS)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60) for process in processes]
    assert {output.strip() for output, _ in said} == {digest(bytes(2**27))}
    assert sum("to its end" in errors for _, errors in said) == 1


@pytest.mark.parametrize("left", [b"", b'{"file": [1, 2', b"[]", b"\xff"])
def test_an_entry_that_a_kill_cut_short_costs_one_reading(
    memory: DigestMemory, file: Path, tmp_path: Path, readings: Callable[[], int], left: bytes
) -> None:
    memory.sha256(file)
    (entry,) = (tmp_path / "digests").iterdir()
    entry.write_bytes(left)
    for _ in range(2):
        assert memory.sha256(file) == digest(OLD)
    assert readings() == 2


def test_where_nothing_can_be_remembered_files_are_read(file: Path, tmp_path: Path) -> None:
    (tmp_path / "digests").write_bytes(b"")
    memory = remembering(tmp_path / "digests")
    for _ in range(2):
        assert memory.sha256(file) == digest(OLD)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        memory.sha256(file)
