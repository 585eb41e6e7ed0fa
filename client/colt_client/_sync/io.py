"""What blocks: sleeping, and reading files. The one module of this folder that is not written from
`_async/`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def run(function: Callable[[], T]) -> T:
    """The function's result."""
    return function()


def reading(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks."""
    return blocks
