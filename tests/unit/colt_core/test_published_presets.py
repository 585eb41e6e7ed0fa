"""The values of the published presets, by framework; how they train is in
tests/integration/colt_core."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.seeding import generator

CIFAR = {
    "backbone": "resnet18",
    "stem": "cifar",
    "epochs": 2000,
    "batch_size": 512,
    "min_crop_scale": 0.1,
    "blur_probability": 0.0,
    "distribution_loss_weight": 0.2,
    "group_thresholds": None,
}
LARGE = {
    "backbone": "resnet50",
    "stem": "imagenet",
    "epochs": 500,
    "batch_size": 256,
    "min_crop_scale": 0.08,
    "blur_probability": 0.5,
    "distribution_loss_weight": 0.01,
    "group_thresholds": {"low": 20, "high": 100},
}
EVERY = {
    "width": 64,
    "projection_dim": 128,
    "learning_rate": 0.5,
    "final_learning_rate": 1e-6,
    "momentum": 0.9,
    "lr_warmup_epochs": 10,
    "flip_probability": 0.5,
    "color_jitter": 0.4,
    "color_jitter_probability": 0.8,
    "grayscale_probability": 0.2,
    "warmup_epochs": 100,
    "sample_interval": 25,
    "sample_budget": 10_000,
    "num_clusters": 10,
    "top_k": 10,
    "tailness_momentum": 0.97,
    "cluster_temperature": 1.0,
}


@pytest.mark.parametrize(
    ("settings", "weight_decay", "on_large_images"),
    [
        ({"framework": "simclr"}, 1e-4, {"temperature": 0.2}),
        ({"framework": "sdclr"}, 1e-4, {"temperature": 0.3, "prune_share": 0.3}),
        ({"framework": "bcl"}, 5e-4, {"temperature": 0.2}),
        ({"framework": "bcl", "bcl_variant": "D"}, 1e-4, {"temperature": 0.3, "prune_share": 0.3}),
        ({"framework": "moco"}, 1e-4, {"temperature": 0.2}),
    ],
)
def test_what_was_published(settings: dict[str, Any], weight_decay: float, on_large_images: dict[str, Any]) -> None:
    on_cifar = {"temperature": 0.2} | ({"prune_share": 0.9} if "prune_share" in on_large_images else {})
    for preset, published in (
        ("cifar10-lt", {**CIFAR, **on_cifar}),
        ("cifar100-lt", {**CIFAR, **on_cifar}),
        ("imagenet100-lt", {**LARGE, **on_large_images}),
        ("places-lt", {**LARGE, **on_large_images}),
    ):
        resolved = PretrainConfig.resolve({"preset": preset, **settings}).model_dump()
        expected = {**EVERY, **published, "weight_decay": weight_decay}
        if settings["framework"] == "bcl":
            expected["loss_momentum"] = 0.97
        assert {name: resolved[name] for name in expected} == expected
    asked = PretrainConfig.resolve({"preset": "places-lt", **settings, "temperature": 0.5, "weight_decay": 0})
    assert (asked.temperature, asked.weight_decay) == (0.5, 0)


def test_views_do_not_depend_on_the_precision() -> None:
    augment = BatchAugmenter.of(PretrainConfig.resolve({"preset": "places-lt", "framework": "bcl", "bcl_variant": "D"}))
    images, strength = (
        torch.randint(256, (4, 3, 64, 64), generator=generator(0, "images"), dtype=torch.uint8),
        torch.ones(4),
    )
    exact = augment(images, generator(0, "augment", 1), strength)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augment(images, generator(0, "augment", 1), strength), exact)
