"""One worker's folder on this machine: locks, the word to stop, and scratch space."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

from store.models import new_id
from store.settings import get_settings

VARIABLE = "COLT_WORKER_ID"
ALIVE, TRAIN, PREPARE = LOCKS = ("alive", "train", "prepare")
UNBORN_SECONDS = 60.0  # a worker takes milliseconds from its folder to the lock on it


class WorkerFolder:
    """`home/workers/ID`, shared by the Celery parent and its children.

    A lock ends with the process that holds it, however that ends; so a folder of which nobody holds a lock is rubbish.
    """

    def __init__(self, home: Path, worker_id: str) -> None:
        self.worker_id = worker_id
        self.path = home / "workers" / worker_id
        self._stop = self.path / "stop"

    def create(self) -> IO[bytes]:
        """Make the folder, and sweep up what dead workers left beside it.

        Returns:
            The open file that holds the `alive` lock; keep it.
        """
        unborn = self.path.with_name(f".{self.worker_id}")  # seen by nobody's sweep before its lock is held
        unborn.mkdir(parents=True)
        alive = _lock(unborn, ALIVE)
        assert alive is not None
        unborn.rename(self.path)
        for other in self.path.parent.iterdir():
            if other != self.path and not _may_be_unborn(other):
                _remove_dead(other)
        return alive

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Hold a lock, if it is free; tells whether it was."""
        file = _lock(self.path, name)
        if file is None:
            yield False
            return
        with file:
            yield True

    def ask_to_stop(self) -> None:
        """Tell the children to put their work back."""
        self._stop.touch()

    @property
    def stopping(self) -> bool:
        """Also once the folder is gone: a thread that wakes now must not beat after the goodbye."""
        return self._stop.exists() or not self.path.exists()

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

    def scratch(self, lock: str, name: str) -> Path:
        """An empty folder for one piece of work, under a lock that is held; whoever takes it removes it."""
        path = self.path / "scratch" / f"{lock}-{name}"
        path.mkdir(parents=True)
        return path

    def clear_scratch(self, lock: str) -> None:
        """Remove what a killed holder of this lock left; call it while holding the lock."""
        for path in (self.path / "scratch").glob(f"{lock}-*"):
            shutil.rmtree(path, ignore_errors=True)

    def clear_idle_scratch(self) -> None:
        """Remove what killed holders left, where nobody has come after them yet."""
        for name in (TRAIN, PREPARE):
            if any((self.path / "scratch").glob(f"{name}-*")):
                with self.lock(name) as free:
                    if free:
                        self.clear_scratch(name)


def new_worker_id() -> str:
    """Host name and random digits: a restarted worker is another one, and takes no lease for its own."""
    return f"{socket.gethostname()}-{new_id()[:12]}"


@lru_cache
def get_folder() -> WorkerFolder:
    """The folder of the worker that this process belongs to."""
    return WorkerFolder(get_settings().home, os.environ[VARIABLE])


def _lock(folder: Path, name: str) -> IO[bytes] | None:
    file = (folder / f"{name}.lock").open("ab")
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
    with ExitStack() as held:
        for name in LOCKS:
            try:
                file = _lock(folder, name)
            except FileNotFoundError:  # it goes away by itself this moment
                return
            if file is None:
                return
            held.enter_context(file)
        shutil.rmtree(folder, ignore_errors=True)
