"""RandAugment's other operations on a group of images. Each image has its own value.

Images are float32 (n, 3, S, S) in 0..1, and values (n,) if an operation has any. The result is a
new tensor. PIL defines the operations on 8-bit levels. Posterize, Equalize, Solarize's threshold
and AutoContrast's ends depend on levels, so images are rounded to levels first. Results are not
rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from colt_core.augment.color import adjust_brightness_, adjust_contrast_, adjust_saturation_
from colt_core.transfer import to_device

_CUTOUT_COLOR = (125, 123, 114)  # ImageNet's mean, as in every RandAugment since AutoAugment's release


def _levels(images_n3SS: Tensor) -> Tensor:
    return (images_n3SS * 255).round_()


def auto_contrast(images_n3SS: Tensor) -> Tensor:
    """Stretch each channel's levels to 0..255. A channel of one level is not changed."""
    low = _levels(images_n3SS.amin(dim=(2, 3), keepdim=True))
    high = _levels(images_n3SS.amax(dim=(2, 3), keepdim=True))
    stretched = (images_n3SS * 255 - low).div_((high - low).clamp(min=1)).clamp_(0, 1)
    return torch.where(high > low, stretched, images_n3SS)


def invert(images_n3SS: Tensor) -> Tensor:
    """1 - image."""
    return 1 - images_n3SS


def equalize(images_n3SS: Tensor) -> Tensor:
    """Flatten each channel's histogram by the integer formula of PIL's `ImageOps.equalize`."""
    levels_CP = _levels(images_n3SS).long().flatten(0, 1).flatten(1)
    channels, pixels = levels_CP.shape
    offset_C1 = 256 * torch.arange(channels, device=levels_CP.device)[:, None]
    histogram_CL = (levels_CP + offset_C1).flatten().bincount(minlength=256 * channels).view(channels, 256)
    last_C1 = histogram_CL.gather(1, levels_CP.amax(dim=1, keepdim=True))
    step_C1 = (pixels - last_C1) // 255
    below_CL = histogram_CL.cumsum(dim=1) - histogram_CL
    table_CL = ((below_CL + step_C1 // 2) // step_C1.clamp(min=1)).clamp_(max=255) / 255
    flat = table_CL.gather(1, levels_CP)
    few = step_C1 == 0  # few pixels below the highest level: PIL does not change such a channel
    return torch.where(few, images_n3SS.flatten(0, 1).flatten(1), flat).view_as(images_n3SS)


def solarize(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Invert levels of at least `value` (0..255)."""
    return torch.where(_levels(images_n3SS) < value_n[:, None, None, None], images_n3SS, 1 - images_n3SS)


def posterize(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Keep the highest floor(`value`) bits of each level."""
    step = torch.exp2(8 - value_n.floor())[:, None, None, None]
    return (_levels(images_n3SS) / step).floor_() * step / 255


def contrast(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Blend with the mean gray (value 0), or move away from it (above 1)."""
    out = images_n3SS.clone(memory_format=torch.contiguous_format)
    adjust_contrast_(out.flatten(2), value_n)
    return out


def color(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Blend with the grayscale image (value 0), or move away from it (above 1)."""
    out = images_n3SS.clone(memory_format=torch.contiguous_format)
    adjust_saturation_(out.flatten(2), value_n)
    return out


def brightness(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Blend with black (value 0), or move away from it (above 1)."""
    out = images_n3SS.clone(memory_format=torch.contiguous_format)
    adjust_brightness_(out.flatten(2), value_n)
    return out


def sharpness(images_n3SS: Tensor, value_n: Tensor) -> Tensor:
    """Blend with a smoothed image (value 0), or move away from it (above 1).

    The kernel is ((1 1 1) (1 5 1) (1 1 1)) / 13. Border pixels are not smoothed.
    """
    smooth = images_n3SS.clone()
    if images_n3SS.shape[2] >= 3:
        inner = images_n3SS[:, :, 1:-1, 1:-1]
        smooth[:, :, 1:-1, 1:-1] = (F.avg_pool2d(images_n3SS, 3, stride=1) * 9 + inner * 4) / 13
    return (smooth + value_n[:, None, None, None] * (images_n3SS - smooth)).clamp_(0, 1)


def cutout(images_n3SS: Tensor, value_n: Tensor, center_2n: Tensor) -> Tensor:
    """Cover a square with gray. Its side is `value` times the image's.

    `center` is its centre (x, y in 0..1 of the side), and it is cut at the borders. As in the
    RandAugment code with PIL, corners are rounded down, and both are inside the square.
    """
    size = images_n3SS.shape[2]
    side_n = value_n * size
    first_2n = (center_2n * size - side_n / 2).clamp(min=0).floor()
    last_2n = (first_2n + side_n).floor()
    pixel = torch.arange(size, device=images_n3SS.device)
    across_n, down_n = (pixel >= first_2n[..., None]) & (pixel <= last_2n[..., None])
    covered_nSS = down_n[:, :, None] & across_n[:, None, :] & (side_n > 0)[:, None, None]
    gray = to_device(torch.tensor(_CUTOUT_COLOR), images_n3SS.device)[:, None, None] / 255
    return torch.where(covered_nSS[:, None], gray, images_n3SS)
