"""Whether other users of this machine can read the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from store.doctor.finding import Finding
from store.home import close, is_open


def examine_home(home: Path) -> Iterator[Finding]:
    """Find rights of other users on the data folder. Earlier versions left them."""
    if is_open(home):
        mode = home.stat().st_mode & 0o777
        yield Finding(
            f"other users of this machine have rights on the data folder {home} (mode {mode:04o})",
            "take them away, as chmod 0700 does",
            partial(close, home),
        )
