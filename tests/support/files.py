"""Files in a folder that the service is changing.

Unlike `Path.glob` and `rglob`, this works while folders are being deleted.
"""

from __future__ import annotations

from glob import glob
from pathlib import Path


def matching(folder: Path, pattern: str) -> list[Path]:
    """All files and folders below it that match. `*` matches hidden names too, `**` folders of any
    depth."""
    return [folder / name for name in glob(pattern, root_dir=folder, recursive=True, include_hidden=True)]  # noqa: PTH207


def files_under(folder: Path) -> list[Path]:
    return [path for path in matching(folder, "**/*") if path.is_file()]
