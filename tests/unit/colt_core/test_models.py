"""Backbones against torchvision's, and the frameworks built from them."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from colt_core.config import PretrainConfig
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.simclr import SimCLR
from colt_core.models import Backbone, ProjectionHead


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_the_standard_backbone_is_torchvisions(name: str) -> None:
    backbone = Backbone(name, width=64, stem="imagenet").eval()
    reference = torchvision.models.get_model(name, weights=None).eval()
    missing, unexpected = reference.load_state_dict(backbone.state_dict(), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    reference.fc = nn.Identity()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone(images), reference(images))


@pytest.mark.parametrize(("stem", "side"), [("cifar", 32), ("cifar-stride2", 16), ("imagenet", 8)])
def test_stems_differ_in_resolution(stem: str, side: int) -> None:
    backbone = Backbone("resnet10", width=8, stem=stem)  # type: ignore[arg-type]
    images = torch.randn(2, 3, 32, 32)
    assert backbone.maxpool(backbone.conv1(images)).shape == (2, 8, side, side)
    assert backbone(images).shape == (2, backbone.num_features)


@pytest.mark.parametrize(("name", "features"), [("resnet10", 8 * 16), ("resnet18", 8 * 16), ("resnet50", 8 * 16 * 4)])
def test_width_scales_every_stage(name: str, features: int) -> None:
    backbone = Backbone(name, width=16)
    assert backbone.num_features == features
    assert backbone(torch.randn(2, 3, 16, 16)).shape == (2, features)


@pytest.mark.parametrize("name", ["resnet10", "resnet50"])
def test_narrow_shortcuts_keep_clear_of_strided_1x1_convolutions(name: str) -> None:
    backbone = Backbone(name, width=4)
    for module in backbone.modules():
        if type(module) is nn.Conv2d and module.kernel_size == (1, 1) and module.stride != (1, 1):
            assert module.in_channels >= 16  # below, oneDNN writes past its workspace
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    shortcut = backbone.double().layer2[0].downsample[0]
    inputs = torch.randn(2, shortcut.in_channels, 9, 9, dtype=torch.float64)
    assert torch.allclose(shortcut(inputs), nn.functional.conv2d(inputs, shortcut.weight, stride=2))
    assert backbone(images).shape == (2, backbone.num_features)
    assert "layer2.0.downsample.0.weight" in backbone.state_dict()


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ValueError, match=r"resnet19.*resnet18"):
        Backbone("resnet19")


def test_the_projection_head_is_the_released_one() -> None:
    head = ProjectionHead(32, 12)
    assert [type(layer) for layer in head] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d]
    assert head.fc1.bias is not None and head.fc2.bias is None
    assert head(torch.randn(4, 32)).shape == (4, 12)


CONFIG = PretrainConfig(backbone="resnet10", width=8, projection_dim=16)


def test_embeddings_are_float32_and_normalised_also_under_autocast() -> None:
    framework = build_framework(CONFIG, 100)
    assert isinstance(framework, SimCLR)
    views = torch.randn(6, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = framework(views).z
    assert z.shape == (6, 16) and z.dtype == torch.float32
    torch.testing.assert_close(z.norm(dim=1), torch.ones(6), atol=1e-5, rtol=0)


def test_initial_weights_are_a_function_of_the_seed_and_leave_torchs_randomness_alone() -> None:
    before = torch.random.get_rng_state()
    first, again = (build_framework(CONFIG, 100).state_dict() for _ in range(2))
    other = build_framework(CONFIG.model_copy(update={"seed": 1}), 100).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])
