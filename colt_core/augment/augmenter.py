"""SimCLR's augmentation of a batch at a time."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from colt_core.augment.color import grayscale
from colt_core.augment.crop import IntervalResize, crop_resize, draw_boxes
from colt_core.augment.jitter import draw_jitter, jitter_
from colt_core.augment.normalize import checked_pixels, standardize
from colt_core.config import PretrainConfig

# Temporaries of a part then are 2 MB: on a CPU they stay in cache and in malloc's free lists, where those of
# 1,024 views at once are mapped and faulted in anew each time (6 ms a batch against 28, measured on two cores).
_PART_FLOATS = 400_000


def _parts(count: int, floats: int, device: torch.device) -> list[slice]:
    size = max(1, _PART_FLOATS // floats) if device.type == "cpu" else count
    return [slice(start, start + size) for start in range(0, count, size)]


class BatchAugmenter:
    """Random resized crop, flip, colour jitter, grayscale, normalise; parameters drawn for every image by itself.

    The distribution is that of the released COLT code (torchvision's transforms on PIL images), without its rounding
    to 8 bits after every operation. Random numbers come from a CPU generator alone, so a seed gives the same views
    on every device.

    Args:
        size: side of the square output in pixels; None keeps the input's (which then must be square).
        min_crop_scale: smallest share of the area that a crop takes; the largest is 1.
        flip_probability: of a horizontal flip.
        color_jitter: strength of brightness, contrast and saturation; hue gets a quarter of it.
        color_jitter_probability, grayscale_probability: of each.
    """

    def __init__(
        self,
        size: int | None = None,
        *,
        min_crop_scale: float = 0.1,
        flip_probability: float = 0.5,
        color_jitter: float = 0.4,
        color_jitter_probability: float = 0.8,
        grayscale_probability: float = 0.2,
    ) -> None:
        self.size = size
        self.min_crop_scale = min_crop_scale
        self.flip_probability = flip_probability
        self.color_jitter = color_jitter
        self.color_jitter_probability = color_jitter_probability
        self.grayscale_probability = grayscale_probability
        self._resizes: dict[tuple[int, int], IntervalResize] = {}

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The augmentation of a pretraining run."""
        return cls(
            min_crop_scale=config.min_crop_scale,
            flip_probability=config.flip_probability,
            color_jitter=config.color_jitter,
            color_jitter_probability=config.color_jitter_probability,
            grayscale_probability=config.grayscale_probability,
        )

    def __call__(self, images_B3HW: Tensor, generator: torch.Generator, strength_B: Tensor | None = None) -> Tensor:
        """uint8 (B, 3, H, W) -> one view of each, float32 (B, 3, S, S), standardised, channels-last in memory.

        Args:
            strength_B: of RandAugment, by image in 0..1; needed where the augmenter has such operations.

        Raises:
            ValueError: for images of another type or shape.
        """
        count, _, height, width = checked_pixels(images_B3HW).shape
        device = images_B3HW.device
        size = self.size or height

        top, left, box_h, box_w = draw_boxes(count, height, width, self.min_crop_scale, generator)
        mirrored = torch.rand(count, generator=generator) < self.flip_probability
        views = torch.empty(count, 3, size, size, device=device)
        for part in _parts(count, 3 * height * width, device):
            rows = self._resize(height, size)(top[part], box_h[part]).to(device)
            columns = self._resize(width, size)(left[part], box_w[part], mirrored[part]).to(device)
            views[part] = crop_resize(images_B3HW[part], rows, columns)

        pixels_B3P = views.view(count, 3, size * size)
        if self.color_jitter > 0 and self.color_jitter_probability > 0:
            jitter_(pixels_B3P, draw_jitter(count, self.color_jitter, self.color_jitter_probability, generator))
        gray = (torch.rand(count, generator=generator) < self.grayscale_probability).nonzero().squeeze(1).to(device)
        pixels_B3P[gray] = grayscale(pixels_B3P[gray])[:, None].expand(-1, 3, -1)
        return standardize(views)

    def _resize(self, side: int, size: int) -> IntervalResize:
        if (side, size) not in self._resizes:
            self._resizes[side, size] = IntervalResize(side, size)
        return self._resizes[side, size]
