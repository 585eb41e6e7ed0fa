"""Registered backbones: random ones, those that know other pixels, and runs that begin with one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from colt_core.architectures import Architecture
from colt_core.backbones.stored import StandardizedBackbone, load_weights, random_backbone, save_weights
from colt_core.events import CheckpointReady
from colt_core.frameworks.build import build_framework
from colt_core.models import Backbone
from colt_core.pixels import MEAN, STD
from colt_core.training.embed import extract_features
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import POOL, TRAIN, config, kinds

CONFIG = config(seed=5)
MEANS, STDS = (0.5, 0.4, 0.3), (0.5, 0.25, 0.125)


def test_random_weights_are_those_that_a_run_begins_with() -> None:
    before = torch.get_rng_state()
    own, of_run = random_backbone(CONFIG.architecture, 5), build_framework(CONFIG, len(TRAIN)).backbone
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, of_run.state_dict()[name]) for name, value in own.state_dict().items())
    assert not torch.equal(random_backbone(CONFIG.architecture, 6).conv1.weight, own.conv1.weight)


def test_a_backbone_is_read_as_it_was_written(tmp_path: Path) -> None:
    own = random_backbone(CONFIG.architecture, 5)
    save_weights(own, tmp_path / "w.safetensors")
    found = load_weights(tmp_path / "w.safetensors", CONFIG.architecture, list(MEAN), list(STD))  # as JSON has them
    assert found.is_ours and not found.training and not any(value.requires_grad for value in found.parameters())
    assert found.state_dict().keys() == own.state_dict().keys()
    own.eval()
    images = torch.from_numpy(TRAIN[:4])
    assert (extract_features(found, images) == extract_features(own, images)).all()


def test_pixels_are_standardised_as_the_backbone_knows_them(tmp_path: Path) -> None:
    architecture = Architecture("resnet10", 4, "cifar")
    own = random_backbone(architecture, 5)
    save_weights(own, tmp_path / "w.safetensors")
    found = load_weights(tmp_path / "w.safetensors", architecture, MEANS, STDS)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEANS, STDS))
    with torch.no_grad():
        expected = own.eval()((torch.from_numpy(TRAIN[:4]) / 255 - mean) / std)
    features = torch.from_numpy(extract_features(found, TRAIN[:4], precision="fp32"))
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)
    with_ours = torch.from_numpy(extract_features(own, TRAIN[:4], precision="fp32"))
    assert (with_ours - expected).abs().max() > 0.1


@pytest.mark.parametrize("framework", ["simclr", "moco", "sdclr"])
def test_a_run_begins_with_a_backbone_and_a_new_head(framework: str) -> None:
    settings = {"queue_size": 32} if framework == "moco" else {}
    made = config(framework=framework, sampler="none", epochs=1, **settings)
    start = random_backbone(made.architecture, seed=9)
    first = kinds(list(pretrain(made, TRAIN, start_from=start)), CheckpointReady)[0]
    assert isinstance(first, CheckpointReady) and first.step == 0
    initial = build_framework(made, len(TRAIN)).state_dict()
    for name, value in first.state["framework"].items():
        of_backbone = name.removeprefix("key_").startswith("backbone.")
        expected = start.state_dict()[name.rpartition("backbone.")[2]] if of_backbone else initial[name]
        if not name.startswith("branch"):
            assert torch.equal(value, expected), name


def test_a_backbone_that_does_not_fit_a_run_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="width: 4 does not fit the weights to start from: set 8"):
        pretrain(config(), TRAIN, POOL, start_from=Backbone("resnet10", 8, "cifar-stride2"))
    with pytest.raises(ValueError, match="a run standardises pixels by mean"):
        pretrain(config(), TRAIN, POOL, start_from=StandardizedBackbone(config().architecture, MEANS, STDS))
