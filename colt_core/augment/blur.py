"""Gaussian blur of a batch by matrix products. Every image has its own sigma."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.transfer import to_device

SIGMA_RANGE = (0.1, 2.0)  # pixels, whatever the image's side
_RADIUS = 11  # 23 taps, SimCLR's tenth of 224 pixels; more than five times the largest sigma
_BLOCK = 32  # pixels of an axis that one product of `_blur_blocks_` computes
_LARGE = 64  # side in pixels above which the matrix of a whole axis is mostly zeros


def draw_blur(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Sigma of each image in pixels, float32 (count,): uniform in 0.1..2, or 0 for no blur."""
    sigma_B = torch.empty(count).uniform_(*SIGMA_RANGE, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < probability, sigma_B, 0.0)


def _weights(sigma_B: Tensor, taps: int, radius: int) -> Tensor:
    """Weights of the pixels at distance 0..`taps` - 1.

    Beyond the radius they are 0. Over both sides they sum to 1.
    """
    distance = torch.arange(taps, device=sigma_B.device)
    weight_BT = torch.exp(-0.5 * (distance / sigma_B[:, None]) ** 2)
    weight_BT[:, radius + 1 :] = 0
    return weight_BT / (2 * weight_BT.sum(dim=1, keepdim=True) - 1)  # counts the centre (weight 1) once


def blur_matrices(sigma_B: Tensor, size: int) -> Tensor:
    """The matrices (B, size, size) that blur an axis of `size` pixels by sigmas above 0 (B,).

    The Gaussian is taken at whole pixels, cut off at 11 pixels or the axis' end, and normalised.
    Borders are reflected about the border pixel. This is torchvision's `gaussian_blur` with a
    kernel of 23 pixels, or the largest that fits. The released code calls PIL's GaussianBlur, which
    approximates the same Gaussian by three box blurs.
    """
    weight_BT = _weights(sigma_B, 2 * size, min(_RADIUS, size - 1))

    # Pixel j adds to the blurred pixel i at its own place, and at its reflections beyond both
    # borders.
    distance = torch.arange(2 * size, device=sigma_B.device)
    i, j = distance[:size, None], distance[:size]
    left = weight_BT[:, i + j] * (j > 0)
    right = weight_BT[:, 2 * (size - 1) - i - j] * (j < size - 1)
    return weight_BT[:, (i - j).abs()] + left + right


def blur_(images_B3SS: Tensor, sigma_B: Tensor) -> None:
    """Blur contiguous square images (B, 3, S, S) in place.

    Args:
        sigma_B: in pixels, on the CPU. 0 leaves an image unchanged.
    """
    blurred = sigma_B.nonzero().squeeze(1)
    if len(blurred) == 0:
        return
    here, sigma_n = (to_device(values, images_B3SS.device) for values in (blurred, sigma_B[blurred]))
    if images_B3SS.shape[2] > _LARGE and images_B3SS.device.type == "cpu":
        _blur_blocks_([images_B3SS[row] for row in blurred.tolist()], sigma_n)
    else:
        images_B3SS[here] = _blur_whole(images_B3SS[here], sigma_n)


def _blur_whole(images_n3SS: Tensor, sigma_n: Tensor) -> Tensor:
    count, channels, size, _ = images_n3SS.shape
    matrix_nSS = blur_matrices(sigma_n, size)
    along_rows = torch.bmm(images_n3SS.reshape(count, channels * size, size), matrix_nSS.transpose(1, 2))
    return matrix_nSS[:, None] @ along_rows.view(count, channels, size, size)


def _blur_blocks_(images: list[Tensor], sigma_n: Tensor) -> None:
    """The same blur for large images, block by block.

    One small matrix maps the pixels within reach of a block to its blurred pixels.
    """
    channels, size, _ = images[0].shape
    blocks, reach = -(-size // _BLOCK), _BLOCK + 2 * _RADIUS
    pixel = torch.arange(reach)
    band_nKR = _weights(sigma_n, reach, _RADIUS)[:, (pixel - pixel[:_BLOCK, None] - _RADIUS).abs()]

    # Each channel has an extra block for its reflections, so windows of all channels are a block
    # apart.
    stride = blocks + 1
    down = torch.zeros(channels * stride * _BLOCK + 2 * _RADIUS, size)
    down_windows = down.as_strided((channels * stride, reach, size), (_BLOCK * size, size, 1))
    rows = torch.empty(channels * stride, _BLOCK, size)
    across = torch.zeros(channels, size, blocks * _BLOCK + 2 * _RADIUS)
    across_windows = across.as_strided((blocks, channels * size, reach), (_BLOCK, across.shape[2], 1))
    columns = torch.empty(blocks, channels * size, _BLOCK)
    for image, band in zip(images, band_nKR, strict=True):
        for channel, plane in enumerate(image):
            first = channel * stride * _BLOCK
            _reflect(down[first : first + size + 2 * _RADIUS], plane)
        torch.bmm(band.expand(len(down_windows), -1, -1), down_windows, out=rows)
        for padded, plane in zip(across, rows.view(channels, -1, size), strict=True):
            _reflect(padded[:, : size + 2 * _RADIUS].T, plane[:size].T)
        torch.bmm(across_windows, band.T.expand(blocks, -1, -1), out=columns)
        for start, block in zip(range(0, size, _BLOCK), columns.view(blocks, channels, size, _BLOCK), strict=True):
            image[:, :, start : start + _BLOCK] = block[:, :, : size - start]


def _reflect(padded: Tensor, lines: Tensor) -> None:
    """Write the lines, and their reflections about the first and the last line on both sides."""
    padded[_RADIUS:-_RADIUS] = lines
    padded[:_RADIUS] = lines[1 : _RADIUS + 1].flip(0)
    padded[-_RADIUS:] = lines[-_RADIUS - 1 : -1].flip(0)
