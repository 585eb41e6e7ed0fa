"""One training step and its results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from colt_core.batch import Batch


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was taken, and its results. The tensors may still be on the device."""

    epoch: int  # 1-based, as is `number`
    number: int  # over the whole run
    learning_rate: float
    batch: Batch
    losses: Tensor  # (3,) of `StepLosses.numbers`
    health: Tensor  # (1 + P,): the embeddings' spread, and the norm of each gradient
    raw_tailness: Tensor | None  # (B,), or None if this step's scores do not count
    per_sample_loss: Tensor | None  # (B,), or None as for raw_tailness
    began: float  # by `perf_counter`
    seconds: float = 0.0  # known once the results are on the host

    @property
    def on_device(self) -> bool:
        """Whether the results still need to be copied to the host."""
        return self.losses.is_cuda

    def copied_to_host(self) -> Self:
        """The step with host copies of its results. The copies are only started, not finished."""
        return replace(
            self,
            losses=_copy_started(self.losses),
            health=_copy_started(self.health),
            raw_tailness=None if self.raw_tailness is None else _copy_started(self.raw_tailness),
            per_sample_loss=None if self.per_sample_loss is None else _copy_started(self.per_sample_loss),
        )


def _copy_started(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
