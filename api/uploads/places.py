"""Who may upload at once. An upload in progress holds a thread, so there are few places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.http.errors import Busy, TooManyRequests

MOST_AT_ONCE = 8
WAIT_SECONDS = 5.0  # for a place
RETRY_SECONDS = 10


@dataclass(eq=False, slots=True)
class Place:
    """An upload in progress.

    Attributes:
        client: who sends it.
        bytes: how many have arrived, or were announced.
    """

    client: str
    bytes: int


class Places:
    """The places of one process. Each client has only some of them, so none can take all."""

    def __init__(self) -> None:
        self._taken: list[Place] = []
        self._freed = asyncio.Condition()
        self._telling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def take(self, client: str, announced: int, most: int) -> AsyncIterator[Place]:
        """Take a place.

        Args:
            client: who sends the file.
            announced: its bytes, or 0.
            most: places of one client.

        Raises:
            TooManyRequests: the client's other uploads are in progress.
            Busy: so many uploads of others are.
        """
        async with self._freed:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._freed.wait_for(lambda: len(self._taken) < MOST_AT_ONCE and self._of(client) < most)
            except TimeoutError:
                if self._of(client) >= most:
                    raise TooManyRequests(
                        f"{most} of your uploads are in progress, and no more are taken at once. "
                        "Send this one when they have ended.",
                        RETRY_SECONDS,
                    ) from None
                raise Busy(
                    f"{MOST_AT_ONCE} uploads are in progress. Send this one again later.", RETRY_SECONDS
                ) from None
            place = Place(client, announced)
            self._taken.append(place)
        try:
            yield place
        finally:
            self._taken.remove(place)
            # Not in this task, which may be cancelled.
            self._telling = asyncio.create_task(self._tell(), name="a place is free")

    def arriving(self) -> int:
        """Bytes of all uploads in progress."""
        return sum(place.bytes for place in list(self._taken))

    def _of(self, client: str) -> int:
        return sum(place.client == client for place in self._taken)

    async def _tell(self) -> None:
        async with self._freed:
            self._freed.notify_all()
