"""RandAugment against PIL, image by image with the same parameters, and what is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from colt_core.augment import BatchAugmenter
from colt_core.augment.rand_augment import OPERATIONS, RandAugmentParameters, draw_rand_augment, rand_augment_
from colt_core.config import PretrainConfig
from colt_core.distributed import ALONE
from colt_core.frameworks.bcl import BCL
from colt_core.frameworks.build import build_framework
from colt_core.seeding import generator
from colt_core.training.batches import Batch
from colt_core.training.device import Compute
from colt_core.training.views import batch_views
from tests.support.tiny_runs import config

SIDE = 33  # odd, so that the centre is a pixel


def photos(count: int, side: int = SIDE) -> torch.Tensor:
    """uint8 images of little contrast, with a black corner and one channel all of one level."""
    rng = generator(0, "test photos")
    coarse = torch.rand(count, 3, 5, 5, generator=rng) * 0.7 + 0.1
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").mul(255).byte()
    images[0, 1] = 77
    images[1, :, -3:, -3:] = 0
    return images


def affine(image: Image.Image, *entries: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, entries)


def pil_operation(image: Image.Image, name: str, level: float, sign: float, center: tuple[float, float]) -> Image.Image:
    """One operation as the RandAugment code family has it, with the ranges of BCL."""
    side, share = image.size[0], level / 30
    factor = 0.1 + 1.8 * share
    match name:
        case "ShearX":
            return affine(image, 1, sign * 0.6 * share, 0, 0, 1, 0)
        case "ShearY":
            return affine(image, 1, 0, 0, sign * 0.6 * share, 1, 0)
        case "TranslateX":
            return affine(image, 1, 0, sign * 0.66 * share * side, 0, 1, 0)
        case "TranslateY":
            return affine(image, 1, 0, 0, 0, 1, sign * 0.66 * share * side)
        case "Rotate":
            return image.rotate(sign * 60 * share)
        case "AutoContrast":
            return ImageOps.autocontrast(image)
        case "Invert":
            return ImageOps.invert(image)
        case "Equalize":
            return ImageOps.equalize(image)
        case "Solarize":
            return ImageOps.solarize(image, 110 * share)  # type: ignore[arg-type]
        case "Posterize":
            return ImageOps.posterize(image, int(4 + 4 * share))
        case "Contrast" | "Color" | "Brightness" | "Sharpness":
            return getattr(ImageEnhance, name)(image).enhance(factor)  # type: ignore[no-any-return]
    cut = 0.4 * share * side
    if cut > 0:
        x, y = (int(max(0, c * side - cut / 2)) for c in center)
        corner = (min(side, x + cut), min(side, y + cut))
        ImageDraw.Draw(image).rectangle((x, y, *corner), (125, 123, 114))
    return image


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_equals_pils(name: str) -> None:
    # None by which a shear meets pixel borders exactly: there PIL's steps of 2^-16 pixel choose the
    # side.
    levels = torch.tensor([0.0, 3.1, 10.1, 14.2, 17.7, 22.0, 26.3, 29.9] * 2)
    images, count = photos(len(levels)), len(levels)
    parameters = RandAugmentParameters(
        operation=torch.full((count, 1), OPERATIONS.index(name)),
        level=levels,
        sign=torch.tensor([-1.0] * 8 + [1.0] * 8)[:, None],
        center=torch.rand(count, 1, 2, generator=generator(1, "test")),
    )
    views = images / 255
    rand_augment_(views, parameters)
    assert views.min() >= 0 and views.max() <= 1
    for i, image in enumerate(images):
        center = tuple(parameters.center[i, 0].tolist())
        pil = Image.fromarray(image.permute(1, 2, 0).numpy())
        by_pil = pil_operation(pil, name, float(levels[i]), float(parameters.sign[i, 0]), center)
        expected = torch.from_numpy(np.array(by_pil)).permute(2, 0, 1).float()
        gap = (views[i] * 255 - expected).abs()
        if name in ("AutoContrast", "Contrast", "Color", "Brightness", "Sharpness"):
            assert gap.max() < 2  # PIL cuts to bytes, and rounds the gray that it blends with
        else:
            assert gap.max() < 1e-3


def test_an_image_of_one_level_is_not_stretched() -> None:
    flat = torch.full((1, 3, 8, 8), 0.25)
    flat[0, 0, 0, 0] += 1e-6  # less than a level: rounding of what came before
    for name in ("AutoContrast", "Equalize"):
        views = flat.clone()
        one = torch.ones(1, 1)
        rand_augment_(
            views,
            RandAugmentParameters(one.long() * OPERATIONS.index(name), one[0] * 30, one, torch.zeros(1, 1, 2)),
        )
        torch.testing.assert_close(views, flat, atol=1e-5, rtol=0)


def test_operations_are_drawn_evenly_and_applied_as_strength_says() -> None:
    count = 30_000
    strength = torch.tensor([0.0, 0.3, 1.0]).repeat(count // 3)
    drawn = draw_rand_augment(2, strength, generator(2, "test"))
    for m, low, high in ((0.0, 0, 0), (0.3, 0.28, 0.32), (1.0, 1, 1)):
        applied = (drawn.operation[strength == m] >= 0).float().mean(dim=0)
        assert ((applied >= low) & (applied <= high)).all()
    operations = drawn.operation[strength == 1]
    pairs = torch.bincount((operations[:, 0] * 15 + operations[:, 1]), minlength=225).view(15, 15) / (count / 3)
    assert len(OPERATIONS) == 15
    assert (pairs.sum(0) * 15 - 1).abs().max() < 0.2 and (pairs.sum(1) * 15 - 1).abs().max() < 0.2
    assert pairs.min() > 0  # drawn with replacement: every pair, an operation with itself too
    assert abs(float(drawn.sign.mean())) < 0.02 and set(drawn.sign.flatten().tolist()) == {-1.0, 1.0}
    assert (drawn.center.mean(dim=(0, 1)) - 0.5).abs().max() < 0.01


def test_levels_follow_the_strength() -> None:
    strength = torch.linspace(0, 1, 5)
    assert draw_rand_augment(1, strength, generator(3, "test")).level.tolist() == [10, 15, 20, 25, 30]
    ones = torch.full((20_000,), 0.8)
    level = draw_rand_augment(2, ones, generator(3, "test")).level
    assert 5 <= float(level.min()) < 5.1 and 24.9 < float(level.max()) <= 25
    assert abs(float(level.mean()) - 15) < 0.2
    assert abs(float(level.std()) - 20 / math.sqrt(12)) < 0.2


def test_the_views_of_a_sample_have_one_level_but_operations_of_their_own() -> None:
    drawn = draw_rand_augment(2, torch.full((80,), 0.8), generator(4, "test"), views=2)
    first, second = drawn[:40], drawn[40:]
    assert torch.equal(first.level, second.level) and len(first.level.unique()) == 40
    assert 0.5 < float((first.operation != second.operation).float().mean()) < 1


def test_a_batch_gives_both_views_of_a_sample_its_strength() -> None:
    made = config(framework="bcl", bcl_variant="D")
    framework, augment = build_framework(made, 30), BatchAugmenter.of(made)
    assert isinstance(framework, BCL)
    framework.strength_N[20:] = 1
    images, index, is_ood = photos(30, 8), torch.arange(30).roll(5), torch.arange(30) % 5 == 0
    compute, batch = Compute.choose("cpu"), Batch(images, is_ood, index, first_pass=True)
    views = batch_views(batch, framework, augment, generator(4, "test"), compute, ALONE)
    strength = ((index >= 20) & ~is_ood).float().repeat(2)
    drawn = augment.draw(60, 8, 8, generator(4, "test"), strength, views=2)
    assert torch.equal(views, augment.apply(torch.cat([images, images]), drawn))


@pytest.mark.parametrize("operations", [1, 2])
def test_no_strength_leaves_every_view_as_without_rand_augment(operations: int) -> None:
    images = photos(6, 16)
    plain = BatchAugmenter()(images, generator(0, "augment", 1))
    strong = BatchAugmenter(rand_augment=operations)
    assert torch.equal(strong(images, generator(0, "augment", 1), torch.zeros(6)), plain)
    strength = torch.tensor([0.0, 1, 0, 1, 1, 0])
    changed = (strong(images, generator(0, "augment", 1), strength) != plain).flatten(1).any(dim=1)
    assert changed.tolist() == (strength == 1).tolist()


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        (None, "needs a strength for every image"),
        (torch.zeros(5), r"each of 4 images, not \(5,\)"),
        (torch.zeros(4, 1), r"each of 4 images, not \(4, 1\)"),
        (torch.tensor([0, 1.5, 0, 0]), r"in 0\.\.1, not 1\.5"),
        (torch.tensor([0, -0.1, 0, 0]), r"in 0\.\.1, not -0\.1"),
        (torch.tensor([0, math.nan, 0, 0]), r"in 0\.\.1, not nan"),
    ],
)
def test_a_wrong_strength_is_refused(strength: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchAugmenter(rand_augment=1)(photos(4, 8), generator(0, "augment", 1), strength)


def test_another_number_of_operations_is_refused() -> None:
    with pytest.raises(ValueError, match="0, 1 or 2 operations, not 3"):
        BatchAugmenter(rand_augment=3)


@pytest.mark.parametrize(
    ("settings", "operations"),
    [({}, 0), ({"framework": "moco"}, 0), ({"framework": "bcl"}, 1), ({"framework": "bcl", "bcl_variant": "D"}, 2)],
)
def test_a_bcl_run_augments_by_its_variant(settings: dict[str, Any], operations: int) -> None:
    assert BatchAugmenter.of(PretrainConfig.resolve(settings)).rand_augment == operations


@pytest.mark.parametrize("side", [16, 33])
def test_some_rows_give_bit_for_bit_the_rows_of_the_whole_batch(side: int) -> None:
    count = 40
    images = photos(count, side)
    augment = BatchAugmenter(blur_probability=0.5, rand_augment=2)
    strength = torch.linspace(0.2, 1, count)
    whole = augment(images, generator(5, "augment", 1), strength)
    drawn = augment.draw(count, side, side, generator(5, "augment", 1), strength)
    second_of_three = torch.arange(1, count, 3)
    for rows in (second_of_three, slice(0, 7), torch.arange(count) % 2 == 0, torch.tensor([39]), slice(0, 0)):
        assert torch.equal(augment.apply(images[rows], drawn[rows]), whole[rows])
    with pytest.raises(ValueError, match="parameters of 40 views for 3 images"):
        augment.apply(images[:3], drawn)
