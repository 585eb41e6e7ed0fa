"""Measures where an epoch's time goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

import torch

PHASES = ("data", "forward_backward", "tailness", "round")

Item = TypeVar("Item")


class Profile:
    """Seconds by phase. On a GPU its own clock measures them, since the host runs ahead.

    `data` is everything from reading images to the augmented views. `forward_backward` includes
    losses and the optimiser's step.

    Args:
        so_far: the seconds already spent, if an epoch is resumed.
    """

    def __init__(self, device: torch.device, so_far: dict[str, float] | None = None) -> None:
        self._on_gpu = device.type == "cuda"
        self._seconds = {phase: (so_far or {}).get(phase, 0.0) for phase in PHASES}
        self._intervals: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside the context as part of a phase."""
        if self._on_gpu:
            begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            begin.record()
            yield
            end.record()
            self._intervals.append((name, begin, end))
        else:
            began = perf_counter()
            yield
            self._seconds[name] += perf_counter() - began

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items. The time to make them counts as part of a phase."""
        iterator = iter(items)
        while True:
            with self.phase(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def take(self) -> dict[str, float]:
        """The seconds since the last call. Waits for the GPU."""
        for name, begin, end in self._intervals:
            end.synchronize()
            self._seconds[name] += begin.elapsed_time(end) / 1000
        seconds, self._seconds, self._intervals = self._seconds, dict.fromkeys(PHASES, 0.0), []
        return seconds
