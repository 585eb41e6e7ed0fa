"""What all tests of colt_core share: one thread, and property tests that draw the same examples
each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import hypothesis
import pytest

from tests.support.rank_processes import OnRanks, rank_processes

# A busy machine makes any single example slow, so none has a deadline.
hypothesis.settings.register_profile("colt_core", deadline=None, derandomize=True)
hypothesis.settings.load_profile("colt_core")


@pytest.fixture(scope="package")
def ranks_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], OnRanks]]:
    """`ranks_of(2)(function, ...)` calls it on each of two processes that form a group; its
    results, by rank."""
    with ExitStack() as running:
        yield cache(lambda size: running.enter_context(rank_processes(size, tmp_path_factory.mktemp("ranks"))))
