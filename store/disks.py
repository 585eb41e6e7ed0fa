"""Free space of file systems, of which a floor stays free for the database and for logs."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from store.settings import get_settings


def room(folder: Path) -> int:
    """Bytes that may still be written to the file system of a folder: those above the floor.

    The folder may not exist yet; its parent's file system counts then.

    Raises:
        OSError: when the file system cannot be asked.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return max(0, usage.free - int(get_settings().disk_floor * usage.total))


def check_room(folder: Path, wanted: int) -> None:
    """Check that so many bytes can be written without going below the floor.

    Raises:
        OSError: ENOSPC, as on a full disk.
    """
    if wanted > room(folder):
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {_kept_free()}")


def _kept_free() -> str:
    return f"{get_settings().disk_floor:.0%} of the disk stays free (COLT_DISK_FLOOR)"
