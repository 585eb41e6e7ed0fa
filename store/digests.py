"""Digests of files, remembered so that not every process reads the same large file to its end."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# The coarsest clock of any common file system: FAT counts in 2 seconds. A file younger than this
# can change while its times stay the same.
SETTLED_SECONDS = 2.0

log = logging.getLogger("worker")


class DigestMemory:
    """The sha256 of files by path, in a folder that the processes of one worker share.

    A file counts as unchanged while its device, inode, size, mtime and ctime stay the same. The
    folder belongs to one worker and is deleted with it, so the next worker reads every file again.
    A missing or truncated entry only costs one more reading.

    Args:
        folder: where the entries are kept.
        settled_seconds: files younger than this are not remembered. Such a file could change within
            one tick of its file system's clock and keep its times (Git: "racily clean").
    """

    def __init__(self, folder: Path, settled_seconds: float = SETTLED_SECONDS) -> None:
        self._folder = folder
        self._settled_seconds = settled_seconds

    def sha256(self, path: Path, *, own: bool = False) -> str:
        """The digest of a file, remembered or read now.

        When another process is reading the same file, this call waits for its result.

        Args:
            path: the file.
            own: this process has just written the file, under a name that no other process knew.
                The digest is then remembered even if the file is young.

        Raises:
            OSError: when the file cannot be read.
        """
        with self._entry(path) as entry:
            before, now = _identity(path), time.time()
            known = _parsed(entry.read())
            if known is not None and known["file"] == before:
                return str(known["sha256"])
            digest = read_sha256(path)
            if _identity(path) == before and (own or _age(path, now) > self._settled_seconds):
                remembered = json.dumps({"file": before, "sha256": digest, "read_at": now})
                with suppress(OSError):  # the disk is full
                    entry.truncate(0)
                    entry.write(remembered.encode())
            return digest

    @contextmanager
    def _entry(self, path: Path) -> Iterator[IO[bytes]]:
        """The entry for `path`, locked: one process at a time reads or writes it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(os.fsencode(path)).hexdigest()
            file = (self._folder / name).open("a+b", buffering=0)
        except OSError:  # the disk is full or read-only
            yield io.BytesIO()
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def read_sha256(path: Path) -> str:
    """Read a file to its end and return its digest.

    Raises:
        OSError: when it cannot be read.
    """
    log.debug("reading %s to its end: %d bytes", path, path.stat().st_size)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _age(path: Path, now: float) -> float:
    found = path.stat()
    return now - max(found.st_mtime, found.st_ctime)


def _parsed(entry: bytes) -> dict[str, object] | None:
    try:
        known = json.loads(entry)
    except ValueError:
        return None
    return known if isinstance(known, dict) and {"file", "sha256"} <= known.keys() else None
