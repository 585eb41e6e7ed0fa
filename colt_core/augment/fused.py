"""A view's colour operations as one affine map of its pixels: faster, and close to exact.

Brightness, contrast, saturation and grayscale are affine maps of a pixel's RGB, except for the
clamp to 0..1 after each. The hue is turned by a rotation about RGB's gray axis instead of in HSV.
On CIFAR-10 a view then differs by 2.4 gray levels in the mean. A rotation at constant luma, in YIQ,
is worse: 3.7 levels. All operations of a view, in their own order, are then one 3 x 3 matrix and
one offset. The result is clamped once at the end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colt_core.augment.color import LUMA, grayscale
from colt_core.augment.jitter import CONTRAST, HUE, ORDERS, SATURATION, JitterParameters
from colt_core.transfer import to_device


def map_colors(images_B3P: Tensor, jitter: JitterParameters | None, gray_B: Tensor) -> Tensor:
    """Apply drawn jitter (None: none) and grayscale (bool) to views (B, 3, P) in 0..1."""
    map_B34 = color_maps(images_B3P.mean(dim=2), jitter, gray_B)
    return torch.baddbmm(map_B34[:, :, 3:], map_B34[:, :, :3], images_B3P).clamp_(0, 1)


def color_maps(mean_B3: Tensor, jitter: JitterParameters | None, gray_B: Tensor) -> Tensor:
    """The maps of B views with these channel means: (B, 3, 4), a matrix and its offset.

    Contrast blends with the mean luma at its place in the order. This is the luma of the mean,
    mapped by the operations so far.
    """
    count, device = len(mean_B3), mean_B3.device
    luma, unit = to_device(torch.tensor(LUMA), device), torch.eye(3, device=device)
    map_B34 = torch.eye(3, 4, device=device).repeat(count, 1, 1)
    if jitter is not None:
        factors_4B = to_device(jitter.factors, device)
        mean_B41 = torch.cat([mean_B3, torch.ones(count, 1, device=device)], dim=1)[:, :, None]
        operation_4B = to_device(ORDERS[jitter.order].T, device)
        steps_4B33 = _operation_matrices(factors_4B)[operation_4B, torch.arange(count, device=device)]
        blended_4B = (operation_4B == CONTRAST) * (1 - factors_4B[CONTRAST])
        for step_B33, blended_B in zip(steps_4B33, blended_4B, strict=True):
            mean_luma_B1 = grayscale(torch.bmm(map_B34, mean_B41))
            map_B34 = torch.bmm(step_B33, map_B34)
            map_B34[:, :, 3] += blended_B[:, None] * mean_luma_B1
    return torch.bmm(torch.where(to_device(gray_B, device)[:, None, None], luma.expand(3, 3), unit), map_B34)


def _operation_matrices(factors_4B: Tensor) -> Tensor:
    """(5, B, 3, 3): the linear part of each operation, and the identity for none."""
    device = factors_4B.device
    unit, luma = torch.eye(3, device=device), to_device(torch.tensor(LUMA), device).expand(3, 3)
    scale_4B11 = factors_4B[:, :, None, None]
    steps_5B33 = torch.cat([scale_4B11 * unit, unit.expand(1, factors_4B.shape[1], 3, 3)])  # brightness, contrast
    steps_5B33[SATURATION] += (1 - scale_4B11[SATURATION]) * luma
    angle_B11 = 2 * math.pi * scale_4B11[HUE]
    cos, sin = angle_B11.cos(), angle_B11.sin()
    across = to_device(torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3), device)
    steps_5B33[HUE] = cos * unit + (1 - cos) / 3 + sin * across  # Rodrigues' formula
    return steps_5B33
