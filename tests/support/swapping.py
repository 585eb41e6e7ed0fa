"""`python -m tests.support.swapping FOLDER LINK`: exchange a folder and a link until killed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import REPOSITORY, clean_environment

_HERE, _EXCHANGE = -100, 2  # of renameat2(2)


@contextmanager
def swapping(folder: Path, target: Path) -> Iterator[None]:
    """While this holds, `folder` is now itself and now a link to `target`, many times a second."""
    link = folder.with_name(f".link-{folder.name}")
    link.symlink_to(target)
    command = [sys.executable, "-m", "tests.support.swapping", str(folder), str(link)]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield
        assert process.poll() is None, "it swapped to the end"
    finally:
        process.kill()
        process.communicate()


def _swap(folder: bytes, link: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    print("begins", flush=True)
    while libc.renameat2(_HERE, folder, _HERE, link, _EXCHANGE) == 0:
        pass
    raise OSError(ctypes.get_errno(), "the two cannot be exchanged")


if __name__ == "__main__":
    _swap(*map(os.fsencode, sys.argv[1:]))
