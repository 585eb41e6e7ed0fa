"""CIFAR's augmentation of supervised training: a window of the padded image, and a flip."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from colt_core.augment.normalize import checked_pixels, normalize
from colt_core.transfer import to_device


class PaddedCrop:
    """Random window of the image's own size, horizontal flip, and standardisation.

    The border is black before standardisation, as in torchvision's `RandomCrop(S, padding=4)` on
    PIL images. Random numbers come only from a CPU generator, so a seed gives the same views on
    every device.

    Args:
        padding: black pixels on each side.
        flip_probability: probability of a horizontal flip.
    """

    def __init__(self, padding: int = 4, flip_probability: float = 0.5) -> None:
        self.padding = padding
        self.flip_probability = flip_probability

    def __call__(self, images_B3SS: Tensor, generator: torch.Generator) -> Tensor:
        """One view of each image: uint8 (B, 3, S, S) -> float32 (B, 3, S, S), standardised.

        Raises:
            ValueError: for images of another type or shape.
        """
        count, channels, _, size = checked_pixels(images_B3SS).shape
        device = images_B3SS.device
        corner_2B = torch.randint(2 * self.padding + 1, (2, count), generator=generator)
        mirrored_B = torch.rand(count, generator=generator) < self.flip_probability
        pixel_S = torch.arange(size)
        column_BS = torch.where(mirrored_B[:, None], pixel_S.flip(0), pixel_S) + corner_2B[1, :, None]
        row_BS = pixel_S + corner_2B[0, :, None]
        padded = F.pad(images_B3SS, (self.padding,) * 4)
        window = padded[
            torch.arange(count, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[:, None, None],
            to_device(row_BS, device)[:, None, :, None],
            to_device(column_BS, device)[:, None, None, :],
        ]
        return normalize(window)
