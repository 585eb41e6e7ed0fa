"""The augmentation of the published linear probes: padded windows on CIFAR, resized crops at 224
pixels."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from colt_core.augment import BatchAugmenter
from colt_core.augment.normalize import normalize
from colt_core.augment.padded_crop import PaddedCrop
from colt_core.probes.linear_sgd import sgd_augmentation
from tests.support.pictures import photos


def test_a_view_is_a_window_of_the_image_with_a_black_border() -> None:
    """Every shift by up to four pixels, mirrored or not, and nothing else (SDCLR's script)."""
    image = photos(1, 8, 8)
    padded = F.pad(image, (4, 4, 4, 4))
    windows = [padded[:, :, top : top + 8, left : left + 8] for top, left in product(range(9), repeat=2)]
    possible = normalize(torch.cat([*windows, *(window.flip(3) for window in windows)])).flatten(1)
    views = PaddedCrop()(image.expand(4000, -1, -1, -1), torch.Generator().manual_seed(0)).flatten(1)
    apart = torch.cdist(views, possible, compute_mode="donot_use_mm_for_euclid_dist")
    assert apart.amin(dim=1).max() < 1e-4
    drawn = apart.argmin(dim=1).bincount(minlength=162)
    assert drawn.min() > 0 and drawn.max() < 4 * 4000 / 162
    assert abs(int(drawn[81:].sum()) - 2000) < 200


def test_it_is_a_function_of_the_generator_and_flips_only_where_a_mirror_image_is_the_same() -> None:
    images = photos(6, 16, 16)
    first, again, other = (PaddedCrop()(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    unmoved = PaddedCrop(padding=0, flip_probability=0)(images, torch.Generator())
    assert torch.equal(unmoved, normalize(images))
    with pytest.raises(ValueError, match="must be uint8"):
        PaddedCrop()(images.float(), torch.Generator())


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (8, 1), (28, 4), (64, 8)])
def test_the_border_is_that_of_cifar_in_proportion(size: int, padding: int) -> None:
    """With 4 pixels around digits of 8, their accuracy fell from 0.85 to 0.23."""
    augment = sgd_augmentation(size, 0.25)
    assert isinstance(augment, PaddedCrop)
    assert (augment.padding, augment.flip_probability) == (padding, 0.25)


def test_large_images_get_the_crops_of_the_scripts_for_224_pixels() -> None:
    assert isinstance(sgd_augmentation(223, 0.5), PaddedCrop)
    augment = sgd_augmentation(224, 0.5)
    assert isinstance(augment, BatchAugmenter)
    assert (augment.min_crop_scale, augment.interpolation, augment.flip_probability) == (0.08, "bilinear", 0.5)
    drawn = augment.draw(2000, 224, 224, torch.Generator().manual_seed(0))
    area = drawn.box[:, 2] * drawn.box[:, 3] / 224**2
    assert 0.075 < area.min() < 0.1 and area.max() > 0.98
    assert drawn.jitter is None and drawn.sigma is None and not drawn.gray.any()
