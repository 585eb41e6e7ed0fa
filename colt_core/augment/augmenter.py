"""Augments whole batches: SimCLR's augmentation, then BCL's RandAugment."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from colt_core.augment.blur import blur_, draw_blur
from colt_core.augment.color import grayscale
from colt_core.augment.crop import (
    MAX_TABLE_SIDE,
    Interpolation,
    IntervalResize,
    crop_resize,
    draw_boxes,
    interval_matrices,
)
from colt_core.augment.crop_bytes import crop_bytes
from colt_core.augment.fused import map_colors
from colt_core.augment.jitter import draw_jitter, jitter_
from colt_core.augment.normalize import checked_pixels, standardize_
from colt_core.augment.parameters import ViewParameters
from colt_core.augment.rand_augment import draw_rand_augment, rand_augment_
from colt_core.config import PretrainConfig
from colt_core.transfer import to_device

# A part has 260 views of 32 pixels. Its planes and temporaries stay in the cores' caches, and an
# operation is long enough for two threads. Half the size takes a fifth more time. All 1,024 views
# of a batch at once take half as much again.
_PART_FLOATS = 800_000


def _parts(count: int, floats: int, device: torch.device) -> list[slice]:
    size = max(1, _PART_FLOATS // floats) if device.type == "cpu" else max(1, count)
    return [slice(start, start + size) for start in range(0, count, size)]


class BatchAugmenter:
    """Random resized crop, flip, colour jitter, grayscale, blur, RandAugment and normalisation.

    Each view has its own draws. The distribution is that of the released COLT code (torchvision's
    transforms on PIL images), but without rounding to 8 bits after every operation. Random numbers
    come only from a CPU generator, so a seed gives the same views on every device.

    Args:
        size: side of the square output in pixels. None keeps the input's, which must be square.
        min_crop_scale: smallest share of the area in a crop; the largest is 1.
        flip_probability: probability of a horizontal flip.
        color_jitter: strength for brightness, contrast and saturation. Hue gets a quarter of it.
        color_jitter_probability, grayscale_probability: probabilities of the two.
        blur_probability: probability of a Gaussian blur with sigma 0.1 to 2 pixels.
        rand_augment: RandAugment operations for each view, 0 to 2 (BCL). Their strength is given
            with the images.
        interpolation: of the resize after the crop.
        fused: colour jitter and grayscale are one affine map of a view's pixels (see `map_colors`).
            This is faster, and its views are close to the exact ones of the same draws.

    Raises:
        ValueError: for another number of operations.
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
        blur_probability: float = 0.0,
        rand_augment: int = 0,
        interpolation: Interpolation = "bicubic",
        fused: bool = False,
    ) -> None:
        if rand_augment not in (0, 1, 2):
            raise ValueError(f"rand_augment must be 0, 1 or 2 operations, not {rand_augment}")
        self.size = size
        self.min_crop_scale = min_crop_scale
        self.flip_probability = flip_probability
        self.color_jitter = color_jitter
        self.color_jitter_probability = color_jitter_probability
        self.grayscale_probability = grayscale_probability
        self.blur_probability = blur_probability
        self.rand_augment = rand_augment
        self.interpolation = interpolation
        self.fused = fused
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
            blur_probability=config.blur_probability,
            rand_augment=config.framework.rand_augment_operations,
            fused=config.augmentation == "fused",
        )

    def __call__(self, images_B3HW: Tensor, generator: torch.Generator, strength_B: Tensor | None = None) -> Tensor:
        """One view of each image, standardised.

        Args:
            images_B3HW: uint8 (B, 3, H, W).
            strength_B: RandAugment's strength for each image, in 0..1. Needed if the augmenter has
                such operations.

        Returns:
            (B, 3, S, S) float32, channels-last in memory.

        Raises:
            ValueError: for images of another type or shape, or a missing strength.
        """
        count, _, height, width = checked_pixels(images_B3HW).shape
        return self.apply(images_B3HW, self.draw(count, height, width, generator, strength_B))

    def draw(
        self,
        count: int,
        height: int,
        width: int,
        generator: torch.Generator,
        strength_B: Tensor | None = None,
        views: int = 1,
    ) -> ViewParameters:
        """Draw the parameters of `count` views. Nothing is drawn for operations that are off.

        Args:
            count, height, width: number of images, and their sides in pixels.
            views: how many views of the same images are stacked in `count`. Each view has its own
                draws, except RandAugment's level, which a sample's views share (see
                `draw_rand_augment`).

        Raises:
            ValueError: if the augmenter has RandAugment operations, and strengths are missing or
                outside 0..1.
        """
        box_B4 = torch.stack(draw_boxes(count, height, width, self.min_crop_scale, generator), dim=1)
        mirrored_B = torch.rand(count, generator=generator) < self.flip_probability
        jitter = sigma_B = rand_augment = None
        if self.color_jitter > 0 and self.color_jitter_probability > 0:
            jitter = draw_jitter(count, self.color_jitter, self.color_jitter_probability, generator)
        gray_B = torch.rand(count, generator=generator) < self.grayscale_probability
        if self.blur_probability > 0:
            sigma_B = draw_blur(count, self.blur_probability, generator)
        if self.rand_augment > 0:
            rand_augment = draw_rand_augment(self.rand_augment, _checked_strength(strength_B, count), generator, views)
        return ViewParameters(box_B4, mirrored_B, jitter, gray_B, sigma_B, rand_augment)

    def apply(self, images_B3HW: Tensor, parameters: ViewParameters) -> Tensor:
        """Make views of the images by drawn parameters. The result is as for `__call__`.

        A view is a function of its image and its own parameters. A subset of rows gives
        bit-identical views to the same rows of the whole batch.

        Raises:
            ValueError: for images of another type or shape, or if there are not as many parameters
                as images.
        """
        count = len(checked_pixels(images_B3HW))
        if count != len(parameters):
            raise ValueError(f"parameters of {len(parameters)} views for {count} images")
        # Never in bfloat16, so that a run's views do not depend on its precision.
        with torch.autocast(images_B3HW.device.type, enabled=False):
            return self._views(images_B3HW, parameters)

    def _views(self, images_B3HW: Tensor, parameters: ViewParameters) -> Tensor:
        count, _, height, _ = images_B3HW.shape
        device = images_B3HW.device
        size = self.size or height
        order = torch.arange(count)
        if parameters.jitter is not None and not self.fused:  # neighbours with the same operation share a call
            order = parameters.jitter.order.argsort(stable=True)
        views_BSS3 = torch.empty(count, size, size, 3, device=device)
        # RandAugment works on the whole batch: each of its 15 operations has few views in a part.
        whole = None if parameters.rand_augment is None else torch.empty(count, 3, size, size, device=device)
        for part in _parts(count, 3 * size * size, device):
            rows = order[part]
            drawn, here = parameters[rows], to_device(rows, device)
            pixels = self._recolored(self._cropped(images_B3HW[here], drawn, size), drawn)
            if whole is not None:
                whole.index_copy_(0, here, pixels)
            else:  # copying rows of one image each takes a third of the time of assigning to channels-last views
                views_BSS3.index_copy_(0, here, standardize_(pixels).permute(0, 2, 3, 1).contiguous())
        if whole is not None and parameters.rand_augment is not None:
            rand_augment_(whole, parameters.rand_augment)
            views_BSS3.copy_(standardize_(whole).permute(0, 2, 3, 1))
        return views_BSS3.permute(0, 3, 1, 2)

    def _cropped(self, images_n3HW: Tensor, drawn: ViewParameters, size: int) -> Tensor:
        """float32 (n, 3, S, S) in 0..1, contiguous."""
        _, _, height, width = images_n3HW.shape
        device = images_n3HW.device
        if max(height, width, size) <= MAX_TABLE_SIDE:
            top, left, box_h, box_w = drawn.box.unbind(1)
            rows = to_device(self._resize(height, size)(top, box_h), device)
            columns = to_device(self._resize(width, size)(left, box_w, drawn.mirrored), device)
        elif device.type == "cpu":
            cropped = crop_bytes(images_n3HW, drawn.box, drawn.mirrored, size, self.interpolation)
            return cropped.float().mul_(1 / 255)
        else:
            top, left, box_h, box_w = to_device(drawn.box, device).unbind(1)
            rows = interval_matrices(top, box_h, height, size, self.interpolation)
            columns = interval_matrices(left, box_w, width, size, self.interpolation)
            columns = torch.where(to_device(drawn.mirrored, device)[:, None, None], columns.flip(1), columns)
        return crop_resize(images_n3HW, rows, columns).contiguous()

    def _recolored(self, pixels_n3SS: Tensor, drawn: ViewParameters) -> Tensor:
        """Jitter, grayscale and blur, clamped to 0..1. May change its input."""
        pixels_n3P = pixels_n3SS.flatten(2)
        if self.fused:
            pixels_n3P = map_colors(pixels_n3P, drawn.jitter, drawn.gray)
        else:
            if drawn.jitter is not None:
                jitter_(pixels_n3P, drawn.jitter)
            gray = to_device(drawn.gray.nonzero().squeeze(1), pixels_n3P.device)
            pixels_n3P[gray] = grayscale(pixels_n3P[gray])[:, None].expand(-1, 3, -1)
        recolored_n3SS = pixels_n3P.view_as(pixels_n3SS)
        if drawn.sigma is not None:
            blur_(recolored_n3SS, drawn.sigma)
        return recolored_n3SS

    def _resize(self, side: int, size: int) -> IntervalResize:
        if (side, size) not in self._resizes:
            self._resizes[side, size] = IntervalResize(side, size, self.interpolation)
        return self._resizes[side, size]


def _checked_strength(strength_B: Tensor | None, count: int) -> Tensor:
    if strength_B is None:
        raise ValueError("RandAugment needs a strength for every image")
    if strength_B.shape != (count,):
        raise ValueError(f"strength must be one number for each of {count} images, not {tuple(strength_B.shape)}")
    wrong = strength_B[~((strength_B >= 0) & (strength_B <= 1))]
    if len(wrong) > 0:
        raise ValueError(f"strength must be in 0..1, not {wrong[0].item()}")
    return strength_B.cpu().float()
