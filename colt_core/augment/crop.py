"""Random resized crop and horizontal flip of a batch, as two batched matrix products."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

MAX_TABLE_SIDE = 64  # largest side in pixels for which an `IntervalResize` is small and fast
_TRIES = 10

Interpolation = Literal["bicubic", "bilinear"]


def draw_boxes(
    count: int, height: int, width: int, min_scale: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw crop boxes with the distribution of torchvision's RandomResizedCrop.

    Its arguments are `scale=(min_scale, 1)` and `ratio=(3/4, 4/3)`. Each image has ten tries, and
    the first that fits is used. If none fits, the largest central box within the ratios is used.

    Returns:
        top, left, height, width of each box in pixels, int64 (count,).
    """
    low, high = math.log(3 / 4), math.log(4 / 3)
    area = torch.empty(count, _TRIES).uniform_(min_scale, 1, generator=generator) * (height * width)
    ratio = torch.empty(count, _TRIES).uniform_(low, high, generator=generator).exp()
    corner = torch.rand(2, count, generator=generator)

    box_w = (area * ratio).sqrt().round().long()
    box_h = (area / ratio).sqrt().round().long()
    fits = (box_w >= 1) & (box_w <= width) & (box_h >= 1) & (box_h <= height)
    first = fits.int().argmax(dim=1, keepdim=True)
    fallback_h, fallback_w = _central_box(height, width)
    some = fits.any(dim=1)
    box_h = torch.where(some, box_h.gather(1, first).squeeze(1), fallback_h)
    box_w = torch.where(some, box_w.gather(1, first).squeeze(1), fallback_w)
    # The minimum guards against products that round up to the bound.
    top = torch.minimum((corner[0] * (height - box_h + 1)).long(), height - box_h)
    left = torch.minimum((corner[1] * (width - box_w + 1)).long(), width - box_w)
    top = torch.where(some, top, (height - fallback_h) // 2)
    left = torch.where(some, left, (width - fallback_w) // 2)
    return top, left, box_h, box_w


def _central_box(height: int, width: int) -> tuple[int, int]:
    if width / height < 3 / 4:
        return round(width / (3 / 4)), width
    if width / height > 4 / 3:
        return height, round(height * (4 / 3))
    return height, width


def _bicubic(distance: Tensor) -> Tensor:
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _bilinear(distance: Tensor) -> Tensor:
    return (1 - distance.abs()).clamp(min=0)


_KERNELS = {"bicubic": (_bicubic, 2), "bilinear": (_bilinear, 1)}  # and their reach in pixels


def resize_weights(length: int, size: int, interpolation: Interpolation = "bicubic") -> Tensor:
    """The matrix (size, length) of PIL's antialiased resize from `length` to `size` pixels.

    It follows `precompute_coeffs` of Pillow's Resample.c. The kernel (bicubic: a = -0.5) is widened
    by the scale when shrinking, cut at the borders and normalised to sum 1.
    """
    kernel, reach = _KERNELS[interpolation]
    scale = length / size
    stretch = max(scale, 1.0)
    center = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    first = (center - reach * stretch + 0.5).long().clamp(min=0)
    last = (center + reach * stretch + 0.5).long().clamp(max=length)
    pixel = torch.arange(length)
    weight = kernel((pixel + 0.5 - center[:, None]) / stretch) * ((pixel >= first[:, None]) & (pixel < last[:, None]))
    return weight / weight.sum(dim=1, keepdim=True)


class IntervalResize:
    """Resize matrices from every interval of an axis of `side` pixels to `size` pixels.

    One padded row of weights serves all intervals of a length: each is a window of it. The 528
    intervals of a 32-pixel axis take 260 kB instead of 2 MB, and stay in cache. The table grows
    with the cube of the side: 4 MB for 64 pixels, 180 MB for 224. For large sides
    `interval_matrices` computes matrices on demand.
    """

    def __init__(self, side: int, size: int, interpolation: Interpolation = "bicubic") -> None:
        self.side, self.size = side, size
        self._table = torch.zeros(2, side + 1, size, 2 * side - 1)
        for length in range(1, side + 1):
            self._table[0, length, :, side - 1 : side - 1 + length] = resize_weights(length, size, interpolation)
        self._table[1] = self._table[0].flip(1)

    def __call__(self, start: Tensor, length: Tensor, mirrored: Tensor | None = None) -> Tensor:
        """The matrices (B, size, side) of B intervals. If `mirrored`, they reverse the pixels."""
        windows = self._table.unfold(3, self.side, 1).transpose(
            2, 3
        )  # a view of shape (mirrored, length, shift, size, side)
        flipped = torch.zeros_like(start) if mirrored is None else mirrored.long()
        return windows[flipped, length, self.side - 1 - start]


def interval_matrices(
    start_B: Tensor, length_B: Tensor, side: int, size: int, interpolation: Interpolation = "bicubic"
) -> Tensor:
    """The matrices (B, size, side) of `IntervalResize`, computed on the intervals' device."""
    kernel, reach = _KERNELS[interpolation]
    scale = length_B.double()[:, None, None] / size
    stretch = scale.clamp(min=1)
    center = (torch.arange(size, device=start_B.device)[:, None] + 0.5) * scale
    pixel = torch.arange(side, device=start_B.device) - start_B[:, None, None]
    first = (center - reach * stretch + 0.5).long().clamp(min=0)
    last = torch.minimum((center + reach * stretch + 0.5).long(), length_B[:, None, None])
    weight = kernel((pixel + 0.5 - center) / stretch) * ((pixel >= first) & (pixel < last))
    return (weight / weight.sum(dim=2, keepdim=True)).float()


def crop_resize(images_B3HW: Tensor, rows_BSH: Tensor, columns_BSW: Tensor) -> Tensor:
    """Resize each image by its own matrices: uint8 (B, 3, H, W) -> float32 (B, 3, S, S).

    The result is in 0..1 and not contiguous.
    """
    b, c, h, w = images_B3HW.shape
    s = rows_BSH.shape[1]
    # Rows come first, for all channels at once: (S, H) x (H, 3W). The columns' matrix follows.
    pixels = images_B3HW.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format).view(b, h, c * w)
    rows = torch.bmm(rows_BSH, pixels).view(b, s * c, w)
    out = torch.bmm(rows, columns_BSW.transpose(1, 2))
    # Bicubic overshoots at edges. Clamping is many times faster before the transpose, while memory
    # is contiguous.
    out.mul_(1 / 255).clamp_(0, 1)
    return out.view(b, s, c, s).transpose(1, 2)
