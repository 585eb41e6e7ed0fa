"""The random parameters of a batch's views."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from colt_core.augment.jitter import JitterParameters
from colt_core.augment.rand_augment import RandAugmentParameters


@dataclass(frozen=True, slots=True)
class ViewParameters:
    """All random parameters of B views, on the CPU. `parameters[rows]` are those of some views."""

    box: Tensor  # (B, 4) int64: top, left, height, width of the crop in pixels
    mirrored: Tensor  # (B,) bool
    jitter: JitterParameters | None
    gray: Tensor  # (B,) bool
    sigma: Tensor | None  # (B,) of the blur in pixels; 0: no blur
    rand_augment: RandAugmentParameters | None

    def __len__(self) -> int:
        return len(self.mirrored)

    def __getitem__(self, rows: Tensor | slice) -> ViewParameters:
        """The parameters of some views, by index (int64 or bool) or slice."""
        return ViewParameters(
            self.box[rows],
            self.mirrored[rows],
            None if self.jitter is None else self.jitter[rows],
            self.gray[rows],
            None if self.sigma is None else self.sigma[rows],
            None if self.rand_augment is None else self.rand_augment[rows],
        )
