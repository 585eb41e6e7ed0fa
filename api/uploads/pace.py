"""How fast an upload has to arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from api.http.errors import TooSlow

_PARTS = 10  # of the time that is averaged over


class Pace:
    """The bytes of an upload over the time that the server waited for them. Time in which the
    client waits for the server does not count."""

    def __init__(self, least: float, seconds: float) -> None:
        """Take the least rate in bytes per second, and the time to average over."""
        self._least = least
        self._seconds = seconds
        self._waited = 0.0
        self._recent: deque[tuple[int, int]] = deque()  # part of the time, bytes that arrived in it

    def note(self, waited: float, count: int) -> None:
        """Note that `count` bytes arrived after so many seconds.

        Raises:
            TooSlow: the rate has been below the least one.
        """
        self._waited += waited
        part = int(self._waited / self._seconds * _PARTS)
        if self._recent and self._recent[-1][0] == part:
            count += self._recent.pop()[1]
        self._recent.append((part, count))
        while self._recent[0][0] <= part - _PARTS:
            self._recent.popleft()
        arrived = sum(bytes_ for _, bytes_ in self._recent)
        if self._waited >= self._seconds and arrived < self._least * self._seconds:
            raise TooSlow(
                f"In {self._seconds:g} s only {arrived} bytes of the file arrived. It has to send at least "
                f"{self._least:g} bytes per second, as it keeps others from uploading. Send it over a faster line."
            )


async def paced(body: AsyncIterator[bytes], pace: Pace) -> AsyncIterator[bytes]:
    """The same pieces, as long as they arrive fast enough."""
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        piece = await anext(body, b"")
        if not piece:
            return
        pace.note(clock() - began, len(piece))
        yield piece
