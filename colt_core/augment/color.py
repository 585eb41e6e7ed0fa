"""Colour operations on a group of images, in place, each image by its own factor.

Images are float32 (n, 3, P) in 0..1 with P pixels, factors (n,). Same results as torchvision.transforms.v2.functional
on float images.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, torchvision's digits


def grayscale(images_n3P: Tensor) -> Tensor:
    """Luma of each pixel, (n, P)."""
    red, green, blue = images_n3P.unbind(1)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def adjust_brightness_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Scale towards black (factor 0) or up."""
    images_n3P.mul_(factor_n[:, None, None]).clamp_(0, 1)


def adjust_contrast_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Blend with the image's mean luma (factor 0)."""
    luma = torch.tensor(_LUMA, device=images_n3P.device)
    mean_n = images_n3P.mean(dim=2) @ luma
    images_n3P.mul_(factor_n[:, None, None]).add_(((1 - factor_n) * mean_n)[:, None, None]).clamp_(0, 1)


def adjust_saturation_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Blend with the image's luma pixel by pixel (factor 0)."""
    gray = grayscale(images_n3P).mul_((1 - factor_n)[:, None])
    images_n3P.mul_(factor_n[:, None, None]).add_(gray[:, None]).clamp_(0, 1)


def adjust_hue_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Turn the hue of the HSV model by `factor` of a full circle, value and saturation kept.

    Back from HSV by the closed form of a channel, v - chroma * clamp(min(k, 4 - k), 0, 1) with k = (n + 6 h) mod 6 and
    n = 5, 3, 1 for red, green, blue: it needs neither the saturation nor six cases.
    """
    red, green, blue = images_n3P.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    inverse = torch.where(chroma == 0, 0.0, 1 / chroma)
    hue = torch.where(
        value == red,
        (green - blue) * inverse,
        torch.where(value == green, (blue - red) * inverse + 2, (red - green) * inverse + 4),
    ).add_(6 * factor_n[:, None])
    for channel, n in ((red, 5), (green, 3), (blue, 1)):
        k = (hue + n).remainder_(6)
        torch.addcmul(value, torch.minimum(k, 4 - k).clamp_(0, 1), chroma, value=-1, out=channel)
