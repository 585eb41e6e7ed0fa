"""Colour jitter of a batch: every image has its own factors and its own order of the four operations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from colt_core.augment.color import adjust_brightness_, adjust_contrast_, adjust_hue_, adjust_saturation_

_OPERATIONS = (adjust_brightness_, adjust_contrast_, adjust_saturation_, adjust_hue_)
_ORDERS = tuple(permutations(range(4)))


@dataclass(frozen=True, slots=True)
class JitterParameters:
    """What `draw_jitter` drew for B images."""

    factors: Tensor  # (4, B): brightness, contrast, saturation factor, hue shift
    order: Tensor  # (B,) index into the 24 orders of the four operations; -1 leaves the image as it is

    def __getitem__(self, rows: Tensor | slice) -> JitterParameters:
        return JitterParameters(self.factors[:, rows], self.order[rows])


def draw_jitter(count: int, strength: float, probability: float, generator: torch.Generator) -> JitterParameters:
    """Parameters as torchvision's ColorJitter(strength, strength, strength, strength / 4) draws them."""
    factors = torch.empty(4, count).uniform_(-1, 1, generator=generator).mul_(strength)
    factors[:3] += 1
    factors[3] /= 4
    order = torch.randint(len(_ORDERS), (count,), generator=generator)
    applied = torch.rand(count, generator=generator) < probability
    return JitterParameters(factors, torch.where(applied, order, -1))


def jitter_(images_B3P: Tensor, parameters: JitterParameters) -> None:
    """Apply the parameters in place to float32 images (B, 3, P) in 0..1.

    Images are taken together by the order of their operations: no work is done for an image that is then thrown away,
    and a group (a batch of 1,024 views gives 34 images each) stays in a core's cache through all four operations.
    """
    for order, operations in enumerate(_ORDERS):
        chosen = (parameters.order == order).nonzero().squeeze(1)
        if len(chosen) == 0:
            continue
        here = chosen.to(images_B3P.device)
        group = images_B3P[here]
        for operation in operations:
            factor = parameters.factors[operation, chosen].to(images_B3P.device)
            _OPERATIONS[operation](group, factor)
        images_B3P[here] = group
