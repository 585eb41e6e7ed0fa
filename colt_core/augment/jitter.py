"""Colour jitter of a batch. Every image has its own factors and order of operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, permutations

import torch
from torch import Tensor

from colt_core.augment.color import (
    HUE_PLANES,
    adjust_brightness_,
    adjust_contrast_,
    adjust_hue_,
    adjust_saturation_,
)
from colt_core.transfer import to_device

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
ORDERS = torch.tensor([*permutations(range(4)), (-1,) * 4])  # the last row (index -1) has no operation


@dataclass(frozen=True, slots=True)
class JitterParameters:
    """The parameters of `draw_jitter` for B images."""

    factors: Tensor  # (4, B): brightness, contrast, saturation factor, hue shift
    order: Tensor  # (B,) index into the 24 orders of the four operations; -1: no jitter

    def __getitem__(self, rows: Tensor | slice) -> JitterParameters:
        return JitterParameters(self.factors[:, rows], self.order[rows])


def draw_jitter(count: int, strength: float, probability: float, generator: torch.Generator) -> JitterParameters:
    """Draw as torchvision's ColorJitter(strength, strength, strength, strength / 4)."""
    factors = torch.empty(4, count).uniform_(-1, 1, generator=generator).mul_(strength)
    factors[:3] += 1
    factors[3] /= 4
    order = torch.randint(len(ORDERS) - 1, (count,), generator=generator)
    applied = torch.rand(count, generator=generator) < probability
    return JitterParameters(factors, torch.where(applied, order, -1))


def jitter_(images_B3P: Tensor, parameters: JitterParameters) -> None:
    """Apply the parameters in place to contiguous float32 images (B, 3, P) in 0..1.

    Neighbours with the same next operation share a step. Images sorted by their order need the
    fewest steps.
    """
    operations_B4 = ORDERS[parameters.order]
    runs = [list(_runs(operations_B4[:, position])) for position in range(4)]
    longest = max((rows.stop - rows.start for run in runs for operation, rows in run if operation == HUE), default=0)
    scratch = torch.empty(HUE_PLANES * longest * images_B3P.shape[2], device=images_B3P.device)
    factors = to_device(parameters.factors, images_B3P.device)
    for operation, rows in (step for run in runs for step in run):
        group, factor = images_B3P[rows], factors[operation, rows]
        if operation == BRIGHTNESS:
            adjust_brightness_(group, factor)
        elif operation == CONTRAST:
            adjust_contrast_(group, factor)
        elif operation == SATURATION:
            adjust_saturation_(group, factor)
        elif operation == HUE:
            adjust_hue_(group, factor, scratch)


def _runs(operation_B: Tensor) -> Iterator[tuple[int, slice]]:
    start = 0
    for operation, same in groupby(operation_B.tolist()):
        count = len(list(same))
        yield operation, slice(start, start + count)
        start += count
