"""What a step computed, on its way to the host."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Sent:
    tensors: dict[str, Tensor]  # on the host, once `copied`
    beside: Any
    began: float
    copied: torch.cuda.Event | None


class Readback:
    """Carries a step's results to the host in order, without making the host wait for the step.

    On a GPU they arrive one step later, while it computes the next: it is not left without work.

    Args:
        behind: how many steps later, 0 or more.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._sent: deque[_Sent] = deque()
        self._last_arrival = -math.inf

    def send(self, tensors: dict[str, Tensor], beside: Any, began: float) -> None:
        """Start the copies of a step's tensors.

        Args:
            beside: what is on the host already, and travels along.
            began: by `perf_counter`, when the step began.
        """
        copied = None
        if any(tensor.is_cuda for tensor in tensors.values()):
            tensors = {name: _copy_started(tensor) for name, tensor in tensors.items()}
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        self._sent.append(_Sent(tensors, beside, began, copied))

    def arrived(self, *, everything: bool = False) -> Iterator[tuple[dict[str, Tensor], Any, float]]:
        """Tensors (on the host) of the steps that are due, or of all, what was beside, and the step's seconds.

        Waits for their copies. Seconds are since the step began, or since the results before it arrived.
        """
        while len(self._sent) > (0 if everything else self._behind):
            sent = self._sent.popleft()
            if sent.copied is not None:
                sent.copied.synchronize()
            now = perf_counter()
            seconds, self._last_arrival = now - max(sent.began, self._last_arrival), now
            yield sent.tensors, sent.beside, seconds


def _copy_started(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
