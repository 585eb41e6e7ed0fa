"""Gaussian blur against torchvision, image by image with the same sigmas."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as TF  # noqa: N812

from colt_core.augment import BatchAugmenter
from colt_core.augment.blur import blur_, draw_blur
from colt_core.config import PretrainConfig
from colt_core.seeding import generator

STILL = {"min_crop_scale": 1, "flip_probability": 0, "color_jitter": 0, "grayscale_probability": 0}


@pytest.mark.parametrize(
    ("size", "kernel"), [(224, 23), (97, 23), (65, 23), (32, 23), (40, 23), (12, 23), (8, 15), (2, 3)]
)
def test_blur_equals_torchvisions(size: int, kernel: int) -> None:
    images = torch.rand(4, 3, size, size, generator=generator(0, "test"))
    sigmas = torch.tensor([0.1, 0.0, 1.3, 2.0])
    blurred = images.clone()
    blur_(blurred, sigmas)
    for image, sigma, actual in zip(images, sigmas.tolist(), blurred, strict=True):
        expected = TF.gaussian_blur(image, kernel, sigma) if sigma > 0 else image
        torch.testing.assert_close(actual, expected, atol=2e-6, rtol=0)


def test_an_image_of_one_pixel_is_its_own_blur() -> None:
    image = torch.full((1, 3, 1, 1), 0.3)
    blur_(image, torch.tensor([2.0]))
    torch.testing.assert_close(image, torch.full((1, 3, 1, 1), 0.3))


def test_sigma_is_uniform_and_blurs_its_share_of_images() -> None:
    sigma = draw_blur(20_000, 0.5, generator(1, "test"))
    drawn = sigma[sigma > 0]
    assert abs(len(drawn) / 20_000 - 0.5) < 0.015
    assert 0.1 <= float(drawn.min()) < 0.101 and 1.999 < float(drawn.max()) <= 2.0
    assert abs(float(drawn.mean()) - 1.05) < 0.02 and abs(float(drawn.std()) - 1.9 / 12**0.5) < 0.02


def test_views_are_blurred_as_drawn_and_before_normalising() -> None:
    # 300 images of 24 pixels: more than one part holds.
    images = torch.randint(0, 256, (300, 3, 24, 24), dtype=torch.uint8, generator=generator(2, "test"))
    augment = BatchAugmenter(**STILL, blur_probability=0.5)
    drawn = augment.draw(300, 24, 24, generator(3, "test"))
    assert drawn.sigma is not None
    for image, sigma, view in zip(images / 255, drawn.sigma.tolist(), augment.apply(images, drawn), strict=True):
        expected = TF.gaussian_blur(image, 23, sigma) if sigma > 0 else image
        expected = TF.normalize(expected, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        torch.testing.assert_close(view, expected, atol=1e-4, rtol=0)


def test_nothing_is_drawn_for_a_blur_that_is_switched_off() -> None:
    plain, never, always = generator(4, "test"), generator(4, "test"), generator(4, "test")
    BatchAugmenter().draw(3, 8, 8, plain)
    BatchAugmenter(blur_probability=0.0).draw(3, 8, 8, never)
    BatchAugmenter(blur_probability=1.0).draw(3, 8, 8, always)
    assert torch.equal(plain.get_state(), never.get_state())
    assert not torch.equal(plain.get_state(), always.get_state())


def test_a_published_run_of_imagenet_blurs() -> None:
    assert BatchAugmenter.of(PretrainConfig.resolve({"preset": "imagenet100-lt"})).blur_probability == 0.5
    assert BatchAugmenter.of(PretrainConfig()).blur_probability == 0
