"""The images of one training step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one step, ID and OOD mixed."""

    images: Tensor  # (B, 3, H, W) uint8; with several ranks, only this rank's rows
    is_ood: Tensor  # (B,) bool
    index: Tensor  # (B,) int64: position in the training part, or in the pool if is_ood
    first_pass: bool  # whether this is the epoch's first pass through the images

    def __len__(self) -> int:
        """B, the images of all ranks."""
        return len(self.index)
