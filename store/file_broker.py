"""Kombu's `filesystem://` transport, safe from a kill at any moment.

Its own makes a file first and fills it afterwards: a message, which a worker then reads empty,
takes for an unrecoverable error, and ends; and the table of its queues, which stays empty for ever
after a kill in between. And it moves a message into the system's temporary folder before it reads
it.
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
    """A message is written under another name, then renamed, and is had by whoever removes it."""

    # There is one queue, which every process declares: each keeps the table of queues in its
    # memory.
    supports_fanout = False
    get_table = virtual.Channel.get_table

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as kombu overrides it
        folder = Path(self.data_folder_out)
        partial = folder / f"{new_id()}.partial"
        partial.write_text(dumps(payload), "utf-8")  # type: ignore[no-untyped-call]
        # Files are taken in the order of their names: by age, as far as one machine's clock goes.
        partial.rename(folder / f"{round(time.monotonic() * 1000)}_{new_id()}.{queue}.msg")

    def _get(self, queue: str, timeout: Any = None) -> Any:
        folder = Path(self.data_folder_in)
        for path in sorted(folder.glob(f"*.{queue}.msg")):
            try:
                message = path.read_bytes()
                path.unlink()
            except FileNotFoundError:  # another worker has it
                continue
            except OSError as error:  # Celery would take it for the end; the message waits for a better moment
                log.warning("the broker's folder cannot be used: %s", error)
                break
            try:
                return loads(message)  # type: ignore[no-untyped-call]
            except ValueError:  # a power cut emptied it; a reconciler rings again
                log.warning("dropped a message that cannot be read: %s", path.name)
        raise Empty


class Transport(filesystem.Transport):
    Channel = Channel
