"""What all tests of colt_core share: one thread, and property tests that draw the same examples each time."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import torch

# A busy machine makes any single example slow, so none has a deadline.
hypothesis.settings.register_profile("colt_core", deadline=None, derandomize=True)
hypothesis.settings.load_profile("colt_core")


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """Small tensors gain nothing from a second thread, and lose much to it on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
