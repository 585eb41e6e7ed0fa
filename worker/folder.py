"""One worker on this machine: its folder, and its flag to stop."""

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

UNBORN_SECONDS = 60.0  # a worker locks its new folder within milliseconds


class WorkerFolder:
    """`home/workers/ID`, with scratch space for the worker's processes.

    The worker holds a lock on it, which the kernel releases when the worker ends for any reason. So
    an unlocked folder is a leftover.
    """

    def __init__(self, home: Path, worker_id: str) -> None:
        self.worker_id = worker_id
        self.path = home / "workers" / worker_id
        self.stopping = False  # work is requeued and none is begun; no Event, since a signal handler sets it

    @property
    def digests(self) -> Path:
        """Where this worker's processes remember digests of files (see store/digests.py)."""
        return self.path / "digests"

    def create(self) -> IO[bytes]:
        """Make the folder, and remove the folders of dead workers.

        Returns:
            The open file that holds the lock. Keep it open.
        """
        unborn = self.path.with_name(f".{self.worker_id}")  # other workers do not remove it before it is locked
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
            OSError: when the disk is full or cannot be written.
        """
        probe = self.path / f"probe-{new_id()}"
        try:
            probe.write_bytes(b"ok")
        finally:
            probe.unlink(missing_ok=True)

    def scratch(self, name: str) -> Path:
        """Make an empty folder for one piece of work. The caller removes it.

        Raises:
            OSError: when it cannot be made.
        """
        path = self.path / "scratch" / name
        path.mkdir(parents=True)
        return path


@lru_cache
def get_folder() -> WorkerFolder:
    """The folder of this process's worker.

    A restarted worker has a new id, so it owns no old lease.
    """
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
    except FileNotFoundError:  # just renamed
        return True


def _remove_dead(folder: Path) -> None:
    try:
        lock = _lock(folder)
    except FileNotFoundError:  # another process is removing it
        return
    if lock is not None:
        with lock:
            shutil.rmtree(folder, ignore_errors=True)
