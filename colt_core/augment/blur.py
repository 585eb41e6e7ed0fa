"""Gaussian blur of a batch, every image by its own sigma, as two batched matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

SIGMA_RANGE = (0.1, 2.0)  # pixels, whatever the image's side
_RADIUS = 11  # 23 taps, SimCLR's tenth of 224 pixels; more than five of the largest sigma


def draw_blur(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Sigma of each image in pixels, float32 (count,), uniform in 0.1..2; 0 leaves the image as it is."""
    sigma_B = torch.empty(count).uniform_(*SIGMA_RANGE, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < probability, sigma_B, 0.0)


def blur_matrices(sigma_B: Tensor, size: int) -> Tensor:
    """The matrices (B, size, size) that blur an axis of `size` pixels by sigmas above 0 (B,).

    The Gaussian at whole pixels, cut off at 11 of them or the axis' end and normalised, and reflection about the
    border pixel: torchvision's `gaussian_blur` with a kernel of 23 pixels, or the largest that fits. (PIL's
    GaussianBlur, which the released code calls for every image, approximates the same Gaussian by three box blurs.)
    """
    distance = torch.arange(2 * size, device=sigma_B.device)
    weight_BT = torch.exp(-0.5 * (distance / sigma_B[:, None]) ** 2)
    weight_BT[:, min(_RADIUS, size - 1) + 1 :] = 0
    weight_BT = weight_BT / (2 * weight_BT.sum(dim=1, keepdim=True) - 1)  # both sides, the centre (weight 1) once

    # Pixel j counts in the blurred pixel i where it stands, and where its images beyond both borders stand.
    i, j = distance[:size, None], distance[:size]
    left = weight_BT[:, i + j] * (j > 0)
    right = weight_BT[:, 2 * (size - 1) - i - j] * (j < size - 1)
    return weight_BT[:, (i - j).abs()] + left + right


def blur(images_B3SS: Tensor, sigma_B: Tensor) -> Tensor:
    """Square images (B, 3, S, S), blurred by sigmas above 0 (B,) in pixels."""
    count, channels, size, _ = images_B3SS.shape
    matrix_BSS = blur_matrices(sigma_B, size)
    along_rows = torch.bmm(images_B3SS.reshape(count, channels * size, size), matrix_BSS.transpose(1, 2))
    matrix_C = matrix_BSS[:, None]
    return matrix_C @ along_rows.view(count, channels, size, size)
