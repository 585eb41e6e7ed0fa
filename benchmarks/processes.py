"""Calls functions in new processes.

A process keeps the allocator settings and threads that it starts with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from worker.programs import KEEP_BLOCKS

Result = TypeVar("Result")

# As a worker starts its trainers.
KEEPING_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": KEEP_BLOCKS, "MALLOC_TRIM_THRESHOLD_": KEEP_BLOCKS}


def apart(function: Callable[..., Result], *arguments: Any, environment: dict[str, str] = KEEPING_BLOCKS) -> Result:
    """Call `function(*arguments)` in a new process with these environment variables.

    The default variables are those of a worker's trainers.
    """
    return side_by_side(function, [arguments], environment)[0]


def side_by_side(
    function: Callable[..., Result], calls: Sequence[tuple[Any, ...]], environment: dict[str, str] = KEEPING_BLOCKS
) -> list[Result]:
    """Call the function with each tuple of arguments, in new processes at the same time."""
    with _variables(environment), ProcessPoolExecutor(len(calls), get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(function, *arguments) for arguments in calls]]


@contextmanager
def _variables(environment: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
