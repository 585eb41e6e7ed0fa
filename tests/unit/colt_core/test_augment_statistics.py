"""What views of many draws look like as a whole, against torchvision's pipeline of PIL images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import functional as TF  # noqa: N812

from colt_core.augment import BatchAugmenter
from colt_core.pixels import MEAN, STD
from colt_core.seeding import generator
from tests.support.pictures import photos

DRAWS = 1500
NOISE = 4.5  # standard errors; of some forty comparisons none is further off by chance


def torchvision_views(images: Tensor) -> Tensor:
    """The released transform, by torchvision on PIL images."""
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                images.shape[2], scale=(0.1, 1), interpolation=transforms.InterpolationMode.BICUBIC
            ),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            transforms.RandomGrayscale(0.2),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return torch.stack([transform(TF.to_pil_image(image)) for image in images])


def statistics(views: Tensor) -> Tensor:
    """(B, 13) of each view: means and deviations of the channels, what they share, and where the
    light is."""
    red, green, blue = (views.mean(dim=(2, 3))).unbind(1)
    luma = views.mean(dim=1)
    half = views.shape[3] // 2
    side_to_side = luma[:, :, :half].mean(dim=(1, 2)) - luma[:, :, half:].mean(dim=(1, 2))
    gray = ((views[:, 0] - views[:, 1]).std(dim=(1, 2)) < 0.05).float()
    return torch.stack(
        [
            *(red, green, blue),
            *views.std(dim=(2, 3)).unbind(1),
            *views.amax(dim=(2, 3)).unbind(1),
            (red - green).abs(),
            (green - blue).abs(),
            side_to_side.abs(),
            gray,
        ],
        dim=1,
    )


@pytest.mark.parametrize("picture", [0, 3])
@pytest.mark.parametrize("fused", [False, True])
def test_colors_of_views_are_distributed_as_torchvisions(picture: int, fused: bool) -> None:
    images = photos(4)[picture : picture + 1].repeat(DRAWS, 1, 1, 1)
    ours = statistics(BatchAugmenter(fused=fused)(images, generator(9, "test")))
    theirs = statistics(torchvision_views(images))
    error = ((ours.var(dim=0) + theirs.var(dim=0)) / DRAWS).sqrt()
    slack = 0.05 if fused else 0.01  # in standardised units: a gray level is 0.017
    assert ((ours.mean(dim=0) - theirs.mean(dim=0)).abs() <= NOISE * error + slack).all()
    assert ((ours.std(dim=0) / theirs.std(dim=0).clamp(min=1e-3)).clamp(max=2) - 1).abs().max() < 0.12


def test_half_of_the_views_are_flipped() -> None:
    images = photos(1).repeat(DRAWS, 1, 1, 1)
    augment = BatchAugmenter(min_crop_scale=1, color_jitter=0, grayscale_probability=0)
    views = augment(images, generator(10, "test"))
    first = views[0]
    same = torch.tensor([torch.allclose(view, first, atol=1e-5) for view in views])
    flipped = torch.tensor([torch.allclose(view, first.flip(2), atol=1e-5) for view in views])
    assert (same ^ flipped).all()
    assert abs(float(same.float().mean()) - 0.5) <= NOISE * 0.5 / DRAWS**0.5
