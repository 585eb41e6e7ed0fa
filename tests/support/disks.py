"""A small real disk that can be filled and made read-only."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.missing import cannot_run


class SmallDisk:
    """A file system in memory, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, leaving: int = 0) -> None:
        """Leave only so many bytes free."""
        with self._ballast.open("ab", buffering=0) as file:
            for block in (2**20, 2**12):
                try:
                    while file.write(bytes(block)) == block:
                        pass
                except OSError:
                    continue
            file.truncate(max(0, file.tell() - leaving))

    def floor(self, share: float) -> int:
        """Bytes of this share of the disk."""
        return int(share * shutil.disk_usage(self.path).total)

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    def read_only(self) -> None:
        """Fails while a file is open for writing."""
        self._mount("remount,ro")

    def writable(self) -> None:
        self._mount("remount,rw")

    def _mount(self, options: str) -> None:
        subprocess.run(["mount", "-o", options, str(self.path)], check=True, capture_output=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of this size, gone afterwards."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        cannot_run("no file system can be mounted (needs root)")
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: a mapped file may still be held by a process that is about to end.
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)
