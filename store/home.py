"""The data folder of this machine. Other users of the machine have no business in it."""

from __future__ import annotations

import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_home(home: Path) -> None:
    """Make the data folder, for its owner alone. One that is there is left as it is.

    Raises:
        OSError: when it cannot be made.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)


def is_open(home: Path) -> bool:
    """Whether other users have rights on the folder. False when it is not there."""
    try:
        return bool(home.stat().st_mode & OTHERS)
    except FileNotFoundError:
        return False


def close(home: Path) -> None:
    """Take the rights of other users away."""
    home.chmod(home.stat().st_mode & ~OTHERS)
