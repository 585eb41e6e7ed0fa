"""Folders nested too deep for functions that recurse, such as `os.makedirs` and `shutil.rmtree`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nested_folders(folder: Path, depth: int = 1500) -> Iterator[None]:
    """While this holds, `folder` has that many folders within each other."""
    subprocess.run(["mkdir", "-p", str(folder / "/".join("a" * depth))], check=True)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
