"""One worker on this machine: its folder there, and the word to stop."""

from __future__ import annotations

import fcntl
import shutil
import socket
import time
from functools import lru_cache
from pathlib import Path
from typing import IO

from store.models import new_id
from store.settings import get_settings

UNBORN_SECONDS = 60.0  # a worker takes milliseconds from its folder to the lock on it


class WorkerFolder:
    """`home/workers/ID`, with scratch space for what the worker does.

    Its lock ends with the worker, however that ends; so a folder whose lock nobody holds is
    rubbish.
    """

    def __init__(self, home: Path, worker_id: str) -> None:
        self.worker_id = worker_id
        self.path = home / "workers" / worker_id
        self.stopping = False  # then work is put back, and nothing new begun; no Event, as a signal handler sets it

    @property
    def digests(self) -> Path:
        """Where this worker's processes note what files hold: see store/digests.py."""
        return self.path / "digests"

    def create(self) -> IO[bytes]:
        """Make the folder, and sweep up what dead workers left beside it.

        Returns:
            The open file that holds the lock; keep it.
        """
        unborn = self.path.with_name(f".{self.worker_id}")  # seen by nobody's sweep before its lock is held
        unborn.mkdir(parents=True)
        lock = _lock(unborn)
        assert lock is not None
        unborn.rename(self.path)
        for other in self.path.parent.iterdir():
            if other != self.path and not _may_be_unborn(other):
                _remove_dead(other)
        return lock

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def check(self) -> None:
        """Write and remove a few bytes.

        Raises:
            OSError: when the disk is full, or cannot be written.
        """
        probe = self.path / f"probe-{new_id()}"
        try:
            probe.write_bytes(b"ok")
        finally:
            probe.unlink(missing_ok=True)

    def scratch(self, name: str) -> Path:
        """An empty folder for one piece of work; whoever takes it removes it."""
        path = self.path / "scratch" / name
        path.mkdir(parents=True)
        return path


@lru_cache
def get_folder() -> WorkerFolder:
    """The folder of this process's worker. A restarted worker is another one, and takes no lease
    for its own."""
    return WorkerFolder(get_settings().home, f"{socket.gethostname()}-{new_id()[:12]}")


def _lock(folder: Path) -> IO[bytes] | None:
    file = (folder / "alive.lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _may_be_unborn(folder: Path) -> bool:
    if not folder.name.startswith("."):
        return False
    try:
        return time.time() - folder.stat().st_mtime < UNBORN_SECONDS
    except FileNotFoundError:  # just born
        return True


def _remove_dead(folder: Path) -> None:
    try:
        lock = _lock(folder)
    except FileNotFoundError:  # it goes away by itself this moment
        return
    if lock is not None:
        with lock:
            shutil.rmtree(folder, ignore_errors=True)
