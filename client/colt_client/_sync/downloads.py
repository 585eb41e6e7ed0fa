# Written by `make client` from the module of the same name in _async/. Change that one.
"""Files that the server makes or keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from colt_client._sync.transport import Transport
from colt_client.bars import Bar, Progress


def save(
    transport: Transport, path: str, query: dict[str, Any], to: str | os.PathLike[str], progress: Progress
) -> Path:
    """Write what a GET answers to a file. Until it is complete, it has another name beside `to`.

    Raises:
        AnswerError, ConnectionLost
    """
    target = Path(to)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file, Bar(progress, f"Downloading {target.name}", "B") as bar:
            for block in transport.download(path, query, bar.show):
                file.write(block)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
