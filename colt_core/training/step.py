"""One training step: from a batch to what it computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from colt_core.batch import Batch


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is taken, and what it computed. The tensors may still be on the device."""

    epoch: int  # 1-based, as is `number`
    number: int  # over the whole run
    learning_rate: float
    batch: Batch
    losses: Tensor  # (3,) of `StepLosses.numbers`
    raw_tailness: Tensor | None  # (B,), or None where this step's scores do not count
    per_sample_loss: Tensor | None  # (B,), likewise
    began: float  # by `perf_counter`
    seconds: float = 0.0  # known once the results are on the host

    @property
    def on_device(self) -> bool:
        """Whether the results are still to be copied to the host."""
        return self.losses.is_cuda

    def copied_to_host(self) -> Self:
        """The step with its results on the host, once the copies that this starts are done."""
        return replace(
            self,
            losses=_copy_started(self.losses),
            raw_tailness=None if self.raw_tailness is None else _copy_started(self.raw_tailness),
            per_sample_loss=None if self.per_sample_loss is None else _copy_started(self.per_sample_loss),
        )


def _copy_started(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
