"""What blocks, for asyncio: sleeping, and reading files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


async def sleep(seconds: float) -> None:
    await anyio.sleep(seconds)


async def run(function: Callable[[], T]) -> T:
    """The function's result; it may read files."""
    return await anyio.to_thread.run_sync(function)


async def reading(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The blocks, each read in a thread."""
    while block := await anyio.to_thread.run_sync(next, blocks, b""):
        yield block
