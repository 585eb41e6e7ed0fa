"""Kombu's `filesystem://` transport, with messages that appear whole.

Its own `_put` makes the file first and fills it afterwards; a worker that looks in between reads an empty message,
takes it for an unrecoverable error, and ends.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

from store.models import new_id


class Channel(filesystem.Channel):
    """Writes under another name, then renames."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as kombu overrides it
        folder = Path(self.data_folder_out)
        partial = folder / f"{new_id()}.partial"
        partial.write_text(dumps(payload), "utf-8")  # type: ignore[no-untyped-call]
        # Files are taken in the order of their names: by age, as far as one machine's clock goes.
        partial.rename(folder / f"{round(time.monotonic() * 1000)}_{new_id()}.{queue}.msg")


class Transport(filesystem.Transport):
    Channel = Channel
