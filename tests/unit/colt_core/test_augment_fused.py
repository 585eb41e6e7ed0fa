"""The fused form against the exact one on the same draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

from colt_core.augment import BatchAugmenter, ViewParameters
from colt_core.augment.fused import map_colors
from colt_core.augment.jitter import CONTRAST, HUE, JitterParameters
from colt_core.config import PretrainConfig
from colt_core.pixels import STD
from colt_core.seeding import generator
from tests.support.pictures import photos


def soft_photos(count: int) -> Tensor:
    """Of so little contrast that no operation clamps a value."""
    return ((photos(count).float() - 127) * 0.3 + 110).byte()


def photographs(side: int) -> Tensor:
    """Squares of a photograph of a temple and one of a flower, at 32 pixels from a third of their
    size."""
    scale = 3 if side == 32 else 1
    squares = []
    for name in ("china.jpg", "flower.jpg"):
        image = Image.fromarray(load_sample_image(name))
        pixels = torch.from_numpy(np.array(image.reduce(scale))).permute(2, 0, 1)
        tiles = pixels.unfold(1, side, side).unfold(2, side, side)
        squares.append(tiles.flatten(1, 2).transpose(0, 1))
    return torch.cat(squares)


def drawn_with(only: list[int], images: Tensor) -> ViewParameters:
    """Draws in which all operations of the jitter but some do nothing."""
    count, _, height, width = images.shape
    drawn = BatchAugmenter().draw(count, height, width, generator(1, "test"))
    assert drawn.jitter is not None
    factors = torch.ones_like(drawn.jitter.factors)
    factors[HUE] = 0
    factors[only] = drawn.jitter.factors[only]
    return replace(drawn, jitter=JitterParameters(factors, drawn.jitter.order))


def levels_apart(images: Tensor, drawn: ViewParameters, **settings: float) -> Tensor:
    """|exact - fused| in gray levels."""
    exact, fused = (BatchAugmenter(**settings, fused=f).apply(images, drawn) for f in (False, True))  # type: ignore[arg-type]
    return ((exact - fused) * torch.tensor(STD).view(3, 1, 1) * 255).abs()


@pytest.mark.parametrize("only", [[], [0], [1], [2], [0, 1], [0, 1, 2]])
def test_without_clamping_and_hue_the_fused_views_are_the_exact_ones(only: list[int]) -> None:
    # 300 images: more than one part holds.
    images = soft_photos(300)
    assert levels_apart(images, drawn_with(only, images)).max() < 0.01


def test_no_jitter_and_all_gray() -> None:
    images = photos(20)
    augment = BatchAugmenter(color_jitter=0, grayscale_probability=0.5)
    drawn = augment.draw(20, 32, 32, generator(2, "test"))
    assert drawn.jitter is None and drawn.gray.any() and not drawn.gray.all()
    assert levels_apart(images, drawn).max() < 0.01


def test_the_difference_on_pictures_is_a_few_gray_levels() -> None:
    images = photographs(32).repeat(10, 1, 1, 1)
    apart = levels_apart(images, drawn_with([0, 1, 2, HUE], images))
    assert 0.5 < apart.mean() < 4
    assert apart.quantile(0.9) < 12
    # The hue turns the right way, and as far: leaving it out, or turning it back, is further off.
    of_hue = levels_apart(images, drawn_with([HUE], images)).mean()
    exact = BatchAugmenter().apply(images, drawn_with([HUE], images))
    without = BatchAugmenter().apply(images, drawn_with([], images))
    assert of_hue < 0.9 * ((exact - without) * torch.tensor(STD).view(3, 1, 1) * 255).abs().mean()


def test_contrast_blends_with_the_mean_luma_at_its_place_in_the_order() -> None:
    image = torch.tensor([[0.2, 0.4], [0.5, 0.3], [0.1, 0.3]])[None]
    factors = torch.tensor([1.3, 0.6, 1.0, 0.0])[:, None]
    for order, brighter in ((0, 1.3), (6, 1.0)):  # brightness before contrast, and contrast before brightness
        jittered = map_colors(image, JitterParameters(factors, torch.tensor([order])), torch.tensor([False]))
        luma = float(image.mean(dim=2) @ torch.tensor([0.2989, 0.587, 0.114]))
        expected = (image * brighter * 0.6 + 0.4 * luma * brighter) * (1.3 / brighter)
        torch.testing.assert_close(jittered, expected)
    assert CONTRAST == 1


def test_some_rows_give_bit_for_bit_the_rows_of_the_whole_batch() -> None:
    images = photos(300)
    augment = BatchAugmenter(fused=True, blur_probability=0.5, rand_augment=2)
    strength = torch.linspace(0.2, 1, 300)
    drawn = augment.draw(300, 32, 32, generator(5, "test"), strength)
    whole = augment.apply(images, drawn)
    few = [slice(20, 20 + count) for count in range(1, 18)]  # products with matrices have a way of their own for some
    for rows in (torch.arange(1, 300, 3), slice(0, 7), torch.tensor([299]), *few):
        assert torch.equal(augment.apply(images[rows], drawn[rows]), whole[rows])


def test_large_views_with_blur_are_as_near() -> None:
    images = photographs(192)
    drawn = BatchAugmenter(blur_probability=0.5).draw(len(images), 192, 192, generator(3, "test"))
    assert levels_apart(images, drawn, blur_probability=0.5).mean() < 4


def test_a_run_has_the_form_it_is_configured_with() -> None:
    assert not BatchAugmenter.of(PretrainConfig()).fused
    assert BatchAugmenter.of(PretrainConfig(augmentation="fused")).fused
