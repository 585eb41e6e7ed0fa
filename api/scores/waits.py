"""Who waits for scores. Their number is bounded, since each asks the database again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

MOST_WAITING = 32
_FIRST_SECONDS, _LONGEST_SECONDS = 0.02, 0.25  # between two looks


class Waits:
    """The clients of one process that wait for scores."""

    def __init__(self) -> None:
        self._waiting = 0

    async def until(self, ended: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Wait until `ended` says so, for so many seconds. With too many others, do not wait.

        Returns:
            Whether it has ended.
        """
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            clock = asyncio.get_running_loop().time
            until, pause = clock() + seconds, _FIRST_SECONDS
            while not await ended():
                if clock() >= until:
                    return False
                await asyncio.sleep(min(pause, max(0.0, until - clock())))
                pause = min(_LONGEST_SECONDS, pause * 1.5)
            return True
        finally:
            self._waiting -= 1
