"""What lies in a folder that the service is changing."""

from __future__ import annotations

import os
from pathlib import Path


def files_under(root: Path) -> list[Path]:
    """All files below it. Unlike `rglob`, it bears folders that are deleted while it looks."""
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
