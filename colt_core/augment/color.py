"""Colour operations on a group of images, in place. Each image has its own factor.

Images are float32 (n, 3, P) in 0..1 with P pixels, factors are (n,). Results are those of
torchvision.transforms.v2.functional on float images.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, torchvision's digits

HUE_PLANES = 6  # planes (n, P) of scratch that `adjust_hue_` works in
_SMALL, _LARGE = 1e-37, 1e38  # near the ends of float32


def grayscale(images_n3P: Tensor) -> Tensor:
    """Luma of each pixel, (n, P)."""
    red, green, blue = images_n3P.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def adjust_brightness_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Scale towards black (factor 0), or brighten (above 1)."""
    images_n3P.mul_(factor_n[:, None, None]).clamp_(0, 1)


def adjust_contrast_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Blend with the image's mean luma; factor 0 gives only the mean luma."""
    # Not a matrix product, whose rounding of an image may depend on the other images.
    mean_n1 = grayscale(images_n3P.mean(dim=2, keepdim=True))
    images_n3P.mul_(factor_n[:, None, None]).add_(((1 - factor_n)[:, None] * mean_n1)[:, None]).clamp_(0, 1)


def adjust_saturation_(images_n3P: Tensor, factor_n: Tensor) -> None:
    """Blend with the luma of each pixel; factor 0 gives only the luma."""
    gray = grayscale(images_n3P).mul_((1 - factor_n)[:, None])
    images_n3P.mul_(factor_n[:, None, None]).add_(gray[:, None]).clamp_(0, 1)


def adjust_hue_(images_n3P: Tensor, factor_n: Tensor, scratch: Tensor | None = None) -> None:
    """Turn the HSV hue by `factor` of a full circle, and keep value and saturation.

    A channel's closed form converts back from HSV: v - chroma * clamp(min(k, 4 - k), 0, 1). Here k
    = (n + 6 h) mod 6, with n = 5, 3, 1 for red, green, blue. This needs neither the saturation nor
    six cases.

    On a CPU, comparisons, `where` and `remainder` take 6 to 14 times as long as a sum. So none is
    used.

    Args:
        scratch: contiguous floats to work in, at least HUE_PLANES * n * P. None: allocated.
    """
    count, _, pixels = images_n3P.shape
    if scratch is None:
        scratch = torch.empty(HUE_PLANES * count * pixels, device=images_n3P.device)
    planes = scratch[: HUE_PLANES * count * pixels]
    value, chroma, hue = planes[: 3 * count * pixels].view(3, count, pixels)
    inverse, sixths, away = planes[3 * count * pixels :].view(3, count, pixels)
    red, green, blue = images_n3P.unbind(1)

    torch.maximum(red, green, out=value)
    torch.maximum(value, blue, out=value)
    torch.minimum(red, green, out=chroma)
    torch.minimum(chroma, blue, out=chroma)
    torch.sub(value, chroma, out=chroma)
    torch.clamp(chroma, min=_SMALL, out=inverse).reciprocal_()  # finite at chroma 0, where the differences are 0 too

    # The hue, in sixths of the circle, is that of the largest channel. The hues of the other
    # channels are raised so that the minimum skips them. If two channels are largest, their hues
    # are equal, or for red and blue the smaller one (red's) is right.
    torch.sub(red, green, out=hue).mul_(inverse).add_(4)
    hue.add_(torch.sub(value, blue, out=away), alpha=_LARGE)
    torch.sub(blue, red, out=sixths).mul_(inverse).add_(2)
    sixths.add_(torch.sub(value, green, out=away), alpha=_LARGE)
    torch.minimum(hue, sixths, out=hue)
    torch.sub(green, blue, out=sixths).mul_(inverse)
    sixths.add_(torch.sub(value, red, out=away), alpha=_LARGE)
    torch.minimum(hue, sixths, out=hue).add_(6 * factor_n[:, None])

    for channel, n in ((red, 5), (green, 3), (blue, 1)):
        torch.add(hue, n, out=channel)
    k = images_n3P
    other = planes[3 * count * pixels :].view(count, 3, pixels)
    k.sub_(torch.div(k, 6, out=other).floor_(), alpha=6)
    torch.minimum(k, torch.sub(4, k, out=other), out=k).clamp_(0, 1)
    torch.addcmul(value[:, None], k, chroma[:, None], value=-1, out=images_n3P)
