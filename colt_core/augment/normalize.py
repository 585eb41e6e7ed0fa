"""The test transform: standardises pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.pixels import MEAN, STD
from colt_core.transfer import to_device


def standardize_(images_B3HW: Tensor) -> Tensor:
    """Standardise float32 images in 0..1 by ImageNet's mean and deviation, in place."""
    mean = to_device(torch.tensor(MEAN), images_B3HW.device).view(3, 1, 1)
    std = to_device(torch.tensor(STD), images_B3HW.device).view(3, 1, 1)
    return images_B3HW.sub_(mean).div_(std)


def checked_pixels(images_B3HW: Tensor) -> Tensor:
    """Return the images if their type and shape are right.

    Floats in 0..1 would be divided by 255 once more, and the model would learn nothing.

    Raises:
        ValueError: unless they are uint8 (B, 3, H, W).
    """
    if images_B3HW.dtype != torch.uint8 or images_B3HW.ndim != 4 or images_B3HW.shape[1] != 3:
        raise ValueError(f"images must be uint8 (B, 3, H, W), not {images_B3HW.dtype} {tuple(images_B3HW.shape)}")
    return images_B3HW


def normalize(images_B3HW: Tensor) -> Tensor:
    """uint8 (B, 3, H, W) -> standardised float32.

    This is the transform of evaluation and of sampling rounds.
    """
    pixels = checked_pixels(images_B3HW).to(torch.float32, memory_format=torch.contiguous_format)
    return standardize_(pixels.mul_(1 / 255)).contiguous(memory_format=torch.channels_last)
