"""Images drawn for the tests of augmentation."""

from __future__ import annotations

import torch


def photos(count: int, height: int = 32, width: int = 32, seed: int = 0) -> torch.Tensor:
    """Smooth coloured images with some saturated, gray and black patches."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=rng) * 1.6 - 0.3
    images = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").clamp(0, 1).mul(255).byte()
    images[:, :, :4, :4] = images[:, :1, :4, :4]
    images[:, :, -3:, -3:] = 0
    return images
