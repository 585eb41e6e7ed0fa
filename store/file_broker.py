"""Kombu's `filesystem://` transport, made safe from a kill at any moment.

Kombu's own transport creates a file first and fills it afterwards. A worker that reads an empty
message takes it for an unrecoverable error and ends. After a kill between the two steps, the table
of queues stays empty forever. Kombu also moves a message into the system's temporary folder before
it reads it.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

from store.models import new_id

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Writes a message under another name, then renames it. The worker that removes it owns it."""

    # There is one queue, which every process declares. So the table of queues can be in memory.
    supports_fanout = False
    get_table = virtual.Channel.get_table

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as kombu overrides it
        folder = Path(self.data_folder_out)
        partial = folder / f"{new_id()}.partial"
        partial.write_text(dumps(payload), "utf-8")  # type: ignore[no-untyped-call]
        # Messages are taken in the order of their file names, which begin with the time.
        partial.rename(folder / f"{round(time.monotonic() * 1000)}_{new_id()}.{queue}.msg")

    def _get(self, queue: str, timeout: Any = None) -> Any:
        folder = Path(self.data_folder_in)
        for path in sorted(folder.glob(f"*.{queue}.msg")):
            try:
                message = path.read_bytes()
                path.unlink()
            except FileNotFoundError:  # another worker has it
                continue
            except OSError as error:  # Celery would end the worker; the message can be read later
                log.warning("the broker's folder cannot be used: %s", error)
                break
            try:
                return loads(message)  # type: ignore[no-untyped-call]
            except ValueError:  # a power cut emptied the file; a reconciler rings again
                log.warning("dropped a message that cannot be read: %s", path.name)
        raise Empty


class Transport(filesystem.Transport):
    Channel = Channel
