"""Augmentation against torchvision and PIL, image by image with the same parameters."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as TF  # noqa: N812

from colt_core.augment import BatchAugmenter, normalize
from colt_core.augment.color import adjust_brightness_, adjust_contrast_, adjust_hue_, adjust_saturation_, grayscale
from colt_core.augment.crop import (
    Interpolation,
    IntervalResize,
    crop_resize,
    draw_boxes,
    interval_matrices,
    resize_weights,
)
from colt_core.augment.crop_bytes import crop_bytes
from colt_core.augment.jitter import draw_jitter, jitter_
from colt_core.seeding import generator
from tests.support.pictures import photos

BICUBIC = TF.InterpolationMode.BICUBIC
PIL_FILTERS: dict[Interpolation, Image.Resampling] = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


@pytest.mark.parametrize("interpolation", PIL_FILTERS)
@pytest.mark.parametrize(("length", "size"), [(32, 32), (7, 32), (1, 8), (31, 16), (96, 32), (5, 5), (100, 3)])
def test_weights_resize_as_pil_does(length: int, size: int, interpolation: Interpolation) -> None:
    pixels = np.random.default_rng(0).random((6, length), dtype=np.float32) * 255
    expected = np.array(Image.fromarray(pixels).resize((size, 6), PIL_FILTERS[interpolation]))
    actual = torch.from_numpy(pixels).double() @ resize_weights(length, size, interpolation).T
    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-4)


def test_sides_too_large_for_a_table_have_the_same_matrices() -> None:
    start, length = torch.tensor([0, 3, 19, 1]), torch.tensor([20, 9, 1, 15])
    for size, interpolation in product((12, 20, 32), PIL_FILTERS):
        expected = IntervalResize(20, size, interpolation)(start, length)
        torch.testing.assert_close(
            interval_matrices(start, length, 20, size, interpolation), expected, atol=1e-7, rtol=0
        )


def test_images_of_1024_pixels_take_no_gigabytes() -> None:
    image = photos(1, 1024, 1024)  # a table of all intervals would take 17
    still = BatchAugmenter(min_crop_scale=1, flip_probability=0, color_jitter=0, grayscale_probability=0)
    torch.testing.assert_close(still(image, generator(0, "augment", 1)), normalize(image), atol=1e-5, rtol=0)


@pytest.mark.parametrize("images", [torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.uint8)])
def test_other_images_than_uint8_of_three_channels_are_refused(images: torch.Tensor) -> None:
    for transform in (normalize, lambda images: BatchAugmenter()(images, generator(0, "augment", 1))):
        with pytest.raises(ValueError, match=r"images must be uint8 \(B, 3, H, W\), not torch"):
            transform(images)


@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (40, 24, 32), (24, 24, 40)])
def test_crop_and_flip_equal_torchvision(height: int, width: int, size: int) -> None:
    images = photos(40, height, width)
    rng = generator(1, "test")
    top, left, box_h, box_w = draw_boxes(40, height, width, 0.1, rng)
    mirrored = torch.rand(40, generator=rng) < 0.5
    rows = IntervalResize(height, size)(top, box_h)
    columns = IntervalResize(width, size)(left, box_w, mirrored)
    actual = crop_resize(images, rows, columns)
    for i, image in enumerate(images):
        box = [int(value[i]) for value in (top, left, box_h, box_w)]
        expected = TF.resized_crop(image.float(), *box, [size, size], interpolation=BICUBIC, antialias=True)
        expected = TF.horizontal_flip(expected) if mirrored[i] else expected
        torch.testing.assert_close(actual[i], expected.div(255).clamp(0, 1), atol=2e-6, rtol=0)


def test_crop_equals_pil_up_to_its_rounding_to_8_bits() -> None:
    images = photos(20)
    top, left, box_h, box_w = draw_boxes(20, 32, 32, 0.1, generator(2, "test"))
    actual = crop_resize(images, IntervalResize(32, 32)(top, box_h), IntervalResize(32, 32)(left, box_w)) * 255
    for i, image in enumerate(images):
        t, x, h, w = (int(value[i]) for value in (top, left, box_h, box_w))
        pil = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((x, t, x + w, t + h))
        expected = torch.from_numpy(np.array(pil.resize((32, 32), Image.Resampling.BICUBIC))).permute(2, 0, 1)
        # PIL rounds after each of its two passes, and cuts off the first one's overshoot at the few
        # sharp edges.
        gap = (actual[i] - expected.float()).abs()
        assert gap.quantile(0.99) < 1.5 and gap.mean() < 0.4


@pytest.mark.parametrize("interpolation", PIL_FILTERS)
@pytest.mark.parametrize(("side", "size"), [(224, 224), (96, 96), (128, 40), (20, 100)])
def test_crop_of_large_images_equals_pil_to_one_level(side: int, size: int, interpolation: Interpolation) -> None:
    images = photos(8, side, side)
    boxes = torch.stack(draw_boxes(8, side, side, 0.1, generator(2, "test")), dim=1)
    mirrored = torch.arange(8) % 2 == 1
    actual = crop_bytes(images, boxes, mirrored, size, interpolation)
    for image, (top, left, height, width), flip, view in zip(images, boxes.tolist(), mirrored, actual, strict=True):
        pil = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((left, top, left + width, top + height))
        expected = torch.from_numpy(np.array(pil.resize((size, size), PIL_FILTERS[interpolation]))).permute(2, 0, 1)
        expected = expected.flip(2) if flip else expected
        gap = (view.int() - expected.int()).abs()
        # Torch's weights have 16 bits, PIL's 22: hardly a value differs, and by more than a level a
        # few in 100,000.
        assert (gap > 0).float().mean() < 0.02 and (gap > 1).float().mean() < 5e-4 and gap.max() <= 2


def test_views_of_large_images_are_those_of_the_matrices_to_one_level() -> None:
    images = photos(10, 80, 80)
    augment = BatchAugmenter(color_jitter=0, grayscale_probability=0)
    drawn = augment.draw(10, 80, 80, generator(6, "test"))
    top, left, height, width = drawn.box.unbind(1)
    columns = interval_matrices(left, width, 80, 80)
    columns = torch.where(drawn.mirrored[:, None, None], columns.flip(1), columns)
    expected = crop_resize(images, interval_matrices(top, height, 80, 80), columns)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    gap = ((augment.apply(images, drawn) * std + mean - expected) * 255).abs()
    # The bytes are rounded, and the overshoot at a sharp edge is cut off, after the first pass too.
    assert gap.quantile(0.99) < 1.5 and gap.mean() < 0.4


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 32), (8, 64), (64, 8)])
def test_boxes_are_distributed_as_torchvisions(height: int, width: int) -> None:
    count = 2000
    ours = torch.stack(draw_boxes(count, height, width, 0.1, generator(3, "test"))).float()
    top, left, box_h, box_w = ours
    assert (top >= 0).all() and (left >= 0).all() and (box_h >= 1).all() and (box_w >= 1).all()
    assert (top + box_h <= height).all() and (left + box_w <= width).all()

    image = torch.empty(3, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        draws = [RandomResizedCrop.get_params(image, (0.1, 1), (3 / 4, 4 / 3)) for _ in range(count)]
    theirs = torch.tensor(draws, dtype=torch.float32).T
    noise = 5 * ((ours.var(dim=1) + theirs.var(dim=1)) / count).sqrt() + 1e-6
    assert ((ours.mean(dim=1) - theirs.mean(dim=1)).abs() <= noise).all()
    quantiles = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    gap = (ours.quantile(quantiles, dim=1) - theirs.quantile(quantiles, dim=1)).abs()
    assert gap.max() <= max(2, 0.04 * max(height, width))


@pytest.mark.parametrize(
    ("ours", "theirs", "factors"),
    [
        (adjust_brightness_, TF.adjust_brightness, (0.0, 0.6, 1.0, 1.4)),
        (adjust_contrast_, TF.adjust_contrast, (0.0, 0.6, 1.0, 1.4)),
        (adjust_saturation_, TF.adjust_saturation, (0.0, 0.6, 1.0, 1.4)),
        (adjust_hue_, TF.adjust_hue, (-0.5, -0.1, 0.0, 0.07, 0.5)),
    ],
)
def test_color_operations_equal_torchvisions(ours, theirs, factors) -> None:  # type: ignore[no-untyped-def]
    images = photos(len(factors)).float() / 255
    actual = images.clone().flatten(2)
    ours(actual, torch.tensor(factors))
    for i, factor in enumerate(factors):
        torch.testing.assert_close(actual[i], theirs(images[i], factor).flatten(1), atol=3e-6, rtol=0)


def torchvision_jitter(image: torch.Tensor, order: tuple[int, ...], factors: torch.Tensor) -> torch.Tensor:
    operations = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)
    for operation in order:
        image = operations[operation](image, float(factors[operation]))
    return image


def test_every_order_of_the_jitter_is_drawn_and_applied() -> None:
    orders = list(permutations(range(4)))
    images = photos(200).float() / 255
    parameters = draw_jitter(200, 0.4, 0.8, generator(5, "test"))
    assert set(parameters.order.tolist()) == {-1, *range(24)}
    actual = images.clone().flatten(2)
    jitter_(actual, parameters)
    for i, order in enumerate(parameters.order.tolist()):
        expected = images[i] if order < 0 else torchvision_jitter(images[i], orders[order], parameters.factors[:, i])
        torch.testing.assert_close(actual[i], expected.flatten(1), atol=1e-5, rtol=0)


def test_jitter_factors_are_uniform_in_torchvisions_ranges() -> None:
    parameters = draw_jitter(20_000, 0.4, 0.8, generator(6, "test"))
    for factor, center, reach in zip(parameters.factors, (1, 1, 1, 0), (0.4, 0.4, 0.4, 0.1), strict=True):
        assert abs(float(factor.mean()) - center) < 0.02 * reach + 1e-9
        assert 0.99 * reach < float((factor - center).abs().max()) <= reach * 1.0001
    counts = torch.bincount(parameters.order + 1, minlength=25).float()
    assert abs(float(counts[0]) / 20_000 - 0.2) < 0.015
    assert (counts[1:] / 20_000 * 24 / 0.8 - 1).abs().max() < 0.2


def test_the_whole_augmentation_equals_torchvision_on_the_same_draws() -> None:
    # More images than one cropping part holds, so that the seam between parts is crossed.
    images, count, orders = photos(150), 150, list(permutations(range(4)))
    actual = BatchAugmenter(grayscale_probability=0.3)(images, generator(7, "test"))

    rng = generator(7, "test")
    boxes = draw_boxes(count, 32, 32, 0.1, rng)
    mirrored = torch.rand(count, generator=rng) < 0.5
    jitter = draw_jitter(count, 0.4, 0.8, rng)
    gray = torch.rand(count, generator=rng) < 0.3
    assert mirrored.any() and gray.any() and (jitter.order < 0).any()
    for i, image in enumerate(images):
        box = [int(value[i]) for value in boxes]
        view = TF.resized_crop(image.float() / 255, *box, [32, 32], interpolation=BICUBIC, antialias=True).clamp(0, 1)
        view = TF.horizontal_flip(view) if mirrored[i] else view
        if jitter.order[i] >= 0:
            view = torchvision_jitter(view, orders[int(jitter.order[i])], jitter.factors[:, i])
        view = TF.rgb_to_grayscale(view, 3) if gray[i] else view
        expected = TF.normalize(view, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        torch.testing.assert_close(actual[i], expected, atol=1e-4, rtol=0)


def test_views_depend_on_the_generator_alone() -> None:
    images = photos(8)
    augment = BatchAugmenter()
    first, again, other = (augment(images, generator(0, "augment", step)) for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    two_views = augment(images[:1].repeat(2, 1, 1, 1), generator(0, "augment", 3))
    assert not torch.equal(two_views[0], two_views[1])


def test_the_input_stays_and_the_output_is_what_a_convolution_wants() -> None:
    images = photos(5, 24, 24)
    before = images.clone()
    views = BatchAugmenter(size=16)(images, generator(0, "augment", 1))
    assert torch.equal(images, before)
    assert views.shape == (5, 3, 16, 16) and views.dtype == torch.float32 and views.isfinite().all()
    assert views.is_contiguous(memory_format=torch.channels_last)


def test_all_switches_off_leave_the_test_transform() -> None:
    images = photos(6)
    still = BatchAugmenter(min_crop_scale=1, flip_probability=0, color_jitter=0, grayscale_probability=0)
    views = still(images, generator(0, "augment", 1))
    # At full area only the ratio varies, and no other ratio than 1 fits into a square.
    torch.testing.assert_close(views, normalize(images), atol=1e-5, rtol=0)
    expected = TF.normalize(images.float() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(normalize(images), expected)


def test_switches_all_the_way_on() -> None:
    images = photos(6)
    views = BatchAugmenter(min_crop_scale=1, flip_probability=1, color_jitter=0, grayscale_probability=1)(
        images, generator(0, "augment", 1)
    )
    gray = grayscale(images.float().flatten(2) / 255).view(6, 1, 32, 32).expand(-1, 3, -1, -1).flip(3)
    expected = TF.normalize(gray, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(views, expected, atol=1e-5, rtol=0)
