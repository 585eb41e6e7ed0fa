"""What a step computed, on its way to the host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Sent:
    tensors: dict[str, Tensor]  # on the host, once `copied`
    beside: Any
    copied: torch.cuda.Event | None


class Readback:
    """Carries a step's results to the host in order, without making the host wait for the step.

    On a GPU they arrive one step later: by then the device has long computed them, and it is never left without work.

    Args:
        behind: how many steps later, 0 or more.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._sent: deque[_Sent] = deque()

    def send(self, tensors: dict[str, Tensor], beside: Any = None) -> None:
        """Start the copies of a step's tensors; what is `beside` them is on the host already, and travels along."""
        copied = None
        if any(tensor.is_cuda for tensor in tensors.values()):
            tensors = {name: _copy_started(tensor) for name, tensor in tensors.items()}
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        self._sent.append(_Sent(tensors, beside, copied))

    def arrived(self, *, everything: bool = False) -> Iterator[tuple[dict[str, Tensor], Any]]:
        """Tensors (on the host) of the steps that are due, or of all, and what was beside; waits for their copies."""
        while len(self._sent) > (0 if everything else self._behind):
            sent = self._sent.popleft()
            if sent.copied is not None:
                sent.copied.synchronize()
            yield sent.tensors, sent.beside


def _copy_started(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
