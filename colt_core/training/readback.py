"""Brings the results of steps to the host."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import torch

from colt_core.training.step import Step


@dataclass(frozen=True, slots=True)
class _Sent:
    step: Step  # its results are on the host after `copied`
    copied: torch.cuda.Event | None


class Readback:
    """Brings steps' results to the host, in order, without making the host wait for a step.

    On a GPU, results arrive one step later, while the next step runs. So the GPU is never idle.

    Args:
        behind: how many steps later results arrive, 0 or more.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._sent: deque[_Sent] = deque()
        self._last_arrival = -math.inf

    def send(self, step: Step) -> None:
        """Start the copies of a step's results."""
        copied = None
        if step.on_device:
            step = step.copied_to_host()
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        self._sent.append(_Sent(step, copied))

    def arrived(self, *, everything: bool = False) -> Iterator[Step]:
        """Yield steps that are due, or all, with their results on the host. Waits for their copies.

        A step's seconds count from its start, or from the arrival of the results before it if that
        is later.
        """
        while len(self._sent) > (0 if everything else self._behind):
            sent = self._sent.popleft()
            if sent.copied is not None:
                sent.copied.synchronize()
            now = perf_counter()
            seconds, self._last_arrival = now - max(sent.step.began, self._last_arrival), now
            yield replace(sent.step, seconds=seconds)
