"""Event files of TensorBoard. One job is one folder with one file.

The state says how long the file is. What an attempt that broke off has added is cut off first. So
a packet that comes again leaves the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from store.settings import Settings
from worker.mirrors.packet import Packet, legal_names
from worker.mirrors.target import State
from worker.sender import ReceiverAway

_LONGEST_FOLDER = 40  # characters of a job's name


class TensorboardTarget:
    """A folder of event files, see :class:`worker.mirrors.target.Target`."""

    name = "tensorboard"

    def __init__(self, settings: Settings) -> None:
        assert settings.tensorboard_dir is not None
        self._folder = settings.tensorboard_dir

    def send(self, packet: Packet, state: State | None, keep: Callable[[], None]) -> State:
        try:
            return self._append(packet, state)
        except OSError as error:
            raise ReceiverAway(error.strerror or type(error).__name__) from error

    def _append(self, packet: Packet, state: State | None) -> State:
        name, length = (_file_name(packet), 0) if state is None else (state["file"], state["bytes"])
        path = self._folder / name
        if state is not None and (not path.exists() or path.stat().st_size < length):
            # Somebody has removed it, or it is on another machine: a further file of the same run.
            path, length = path.with_name(f"{path.name}.{length}"), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(length)
            file.seek(length)
            writer = RecordWriter(file)
            for event in _events(packet, is_first=length == 0, with_config=state is None):
                writer.write(event.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
            return {"file": str(path.relative_to(self._folder)), "bytes": file.tell()}


def _file_name(packet: Packet) -> str:
    folder = legal_names([packet.name])[0][:_LONGEST_FOLDER]
    return f"{folder}-{packet.job_id[:8]}/events.out.tfevents.{packet.begins_at // 1000}.colt"


def _events(packet: Packet, *, is_first: bool, with_config: bool) -> Iterator[Event]:
    if is_first:
        yield Event(wall_time=packet.begins_at / 1000, file_version="brain.Event:2")
    if with_config:
        code = json.dumps(packet.config, indent=1).replace("\n", "\n    ")
        yield Event(wall_time=packet.begins_at / 1000, summary=text_pb("config", f"    {code}"))
    for name, step, value, at in packet.points:
        yield Event(
            wall_time=at / 1000, step=step, summary=Summary(value=[Summary.Value(tag=name, simple_value=value)])
        )
    if packet.status is not None:
        told = packet.status if packet.error is None else f"{packet.status}: {packet.error}"
        yield Event(wall_time=packet.status_at / 1000, summary=text_pb("status", told))
