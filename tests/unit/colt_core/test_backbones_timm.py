"""ResNets of width 64 with the ImageNet stem exchange weights with timm and torchvision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from colt_core.architectures import Architecture
from colt_core.augment import normalize
from colt_core.backbones.fit import fit, put
from colt_core.backbones.stored import load_weights, random_backbone, save_weights
from colt_core.backbones.weights_file import read_weights
from colt_core.models import Backbone

NAMES = ("resnet18", "resnet50")
IMAGES = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def of_timm(name: str) -> nn.Module:
    return timm.create_model(name, pretrained=False)


def of_torchvision(name: str) -> nn.Module:
    return torchvision.models.get_model(name, weights=None)


@torch.no_grad()
def features(network: nn.Module, images: Tensor) -> Tensor:
    """Pooled features, by the network's own code."""
    network.eval()
    if isinstance(network, Backbone):
        return network(images)
    if isinstance(network, torchvision.models.ResNet):
        network.fc = nn.Identity()
        return network(images)
    return network.forward_head(network.forward_features(images), pre_logits=True)


@torch.no_grad()
def shuffled(network: nn.Module) -> nn.Module:
    """Weights and statistics that are not those of a new network, so that each of them matters."""
    torch.manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight", "downsample.1.weight")):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1)
    return network


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", [of_timm, of_torchvision])
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_their_file_gives_their_features(
    tmp_path: Path, made: Callable[[str], nn.Module], name: str, ending: str
) -> None:
    theirs, path = shuffled(made(name)), tmp_path / f"weights{ending}"
    (save_file if ending == ".safetensors" else torch.save)(theirs.state_dict(), path)
    ours = Backbone(name, 64, "imagenet")
    weights = read_weights(path, path.name)
    found = fit(weights, ours)
    assert (found.prefix, found.missing, found.share) == ("", (), 1.0)
    assert set(found.unexpected) == {"fc.weight", "fc.bias"}
    put(weights, ours, found)
    assert torch.equal(features(ours, normalize(IMAGES)), features(theirs, normalize(IMAGES)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", [of_timm, of_torchvision])
def test_our_file_gives_our_features_in_their_code(tmp_path: Path, made: Callable[[str], nn.Module], name: str) -> None:
    architecture = Architecture(name, 64, "imagenet")
    save_weights(shuffled(random_backbone(architecture, seed=1)), tmp_path / "ours.safetensors")
    theirs = made(name)
    left = theirs.load_state_dict(read_weights(tmp_path / "ours.safetensors", "ours.safetensors"), strict=False)
    assert set(left.missing_keys) == {"fc.weight", "fc.bias"} and left.unexpected_keys == []
    ours = load_weights(tmp_path / "ours.safetensors", architecture)
    assert torch.equal(features(theirs, normalize(IMAGES)), features(ours, normalize(IMAGES)))


@pytest.mark.parametrize("variant", ["resnet18d", "resnet10t", "seresnet18"])
def test_timms_variants_are_other_networks(variant: str) -> None:
    theirs = timm.create_model(variant, pretrained=False).state_dict()
    problem = fit(theirs, Backbone("resnet18", 64, "imagenet")).problem
    assert problem is not None and "has layers that a resnet18 of width 64 with stem 'imagenet' has not" in problem
