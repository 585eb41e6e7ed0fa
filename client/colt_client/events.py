"""Reads Server-Sent Events."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Event(NamedTuple):
    """Something that happened to a job.

    Attributes:
        id: grows from event to event. None for `end`.
        kind: `status`, `progress`, `metric`, `round`, `warning`, `evaluation`, `analysis`, `log`,
            or `end` after the last one.
        data: what the kind says of it.
    """

    id: int | None
    kind: str
    data: Any


class EventReader:
    """Makes events of the bytes of a stream, as they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes."""
        # Not `splitlines`: it also splits at characters that JSON may hold.
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [self._line(line.rstrip(b"\r").decode()) for line in lines]
        return [event for event in found if event is not None]

    def _line(self, line: str) -> Event | None:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in self._fields:
                value = f"{self._fields['data']}\n{value}"
            if name:  # else a comment, which keeps the connection open
                self._fields[name] = value
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        number = fields.get("id", "")
        return Event(int(number) if number.isdecimal() else None, fields.get("event", ""), json.loads(fields["data"]))
