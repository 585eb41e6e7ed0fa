"""RandAugment's geometric operations as affine maps, sampled as by PIL's `Image.transform`."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.transfer import to_device


def shear_x(value_n: Tensor) -> Tensor:
    """Shift rows by `value` times their distance from the top."""
    return _affine(value_n, xy=value_n)


def shear_y(value_n: Tensor) -> Tensor:
    """Shift columns by `value` times their distance from the left."""
    return _affine(value_n, yx=value_n)


def translate_x(value_n: Tensor) -> Tensor:
    """Shift to the left by `value` times the side."""
    return _affine(value_n, x=value_n)


def translate_y(value_n: Tensor) -> Tensor:
    """Shift up by `value` times the side."""
    return _affine(value_n, y=value_n)


def rotate(value_n: Tensor) -> Tensor:
    """Rotate counter-clockwise about the centre by `value` degrees."""
    angle = -value_n.double().deg2rad()
    cos, sin = angle.cos(), angle.sin()
    return _affine(
        value_n,
        xx=cos,
        xy=sin,
        x=(1 - cos - sin) / 2,
        yx=-sin,
        yy=cos,
        y=(1 - cos + sin) / 2,
    )


def _affine(
    value_n: Tensor,
    *,
    xx: Tensor | float = 1.0,
    xy: Tensor | float = 0.0,
    x: Tensor | float = 0.0,
    yx: Tensor | float = 0.0,
    yy: Tensor | float = 1.0,
    y: Tensor | float = 0.0,
) -> Tensor:
    """Maps (n, 2, 3), float64, from a place in the result to its source in the image, as in PIL.

    Places are (x, y) from the upper left corner, in units of the side.
    """
    entries = [torch.as_tensor(entry, dtype=torch.float64).expand(len(value_n)) for entry in (xx, xy, x, yx, yy, y)]
    return torch.stack(entries, dim=1).view(-1, 2, 3)


def warp(images_n3SS: Tensor, maps_n23: Tensor) -> Tensor:
    """Map each image by its own map, to the nearest pixel. Outside the image it is black.

    It uses gather. `grid_sample` has coordinates in -1..1, which round some pixels across a border.
    """
    count, channels, size, _ = images_n3SS.shape
    center = torch.arange(size, dtype=torch.float64, device=images_n3SS.device) + 0.5
    maps = to_device(maps_n23, images_n3SS.device)[..., None, None]
    source_n2SS = (maps[:, :, 0] * center + maps[:, :, 1] * center[:, None] + maps[:, :, 2] * size).floor().long()
    inside_nSS = ((source_n2SS >= 0) & (source_n2SS < size)).all(dim=1)
    column, row = source_n2SS.clamp_(0, size - 1).unbind(1)
    pixel_nP = (row * size + column).flatten(1)
    shown = images_n3SS.flatten(2).gather(2, pixel_nP[:, None].expand(-1, channels, -1))
    return shown.view(count, channels, size, size) * inside_nSS[:, None]
