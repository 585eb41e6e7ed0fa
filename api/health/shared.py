"""Work that many ask for at once, and that is done once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """A client that asks while the work is under way waits for its result, and starts no other.

    Args:
        work: the work.
        name: of its task.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[T] | None = None

    async def result(self) -> T:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=self._name)
        return await asyncio.shield(self._task)  # a client that leaves does not end it for others
