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
    is_repeat: Tensor | None = None  # (B,) bool: training images that a sampler picked again; None: no image is

    @property
    def is_added(self) -> Tensor:
        """(B,) bool: images that a sampler picked, OOD or repeated."""
        return self.is_ood if self.is_repeat is None else self.is_ood | self.is_repeat

    def __len__(self) -> int:
        """B, the images of all ranks."""
        return len(self.index)
