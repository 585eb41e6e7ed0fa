"""How the names and shapes of a file fit one of our backbones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from colt_core.architectures import Architecture
from colt_core.backbones.errors import WeightsRefused
from colt_core.backbones.fit import fit, put
from colt_core.backbones.stored import random_backbone
from colt_core.backbones.weights_file import read_weights
from colt_core.models import Backbone

SMALL = Architecture("resnet10", 4, "imagenet")


def weights(seed: int = 1, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: value for name, value in random_backbone(SMALL, seed).state_dict().items()}


@pytest.mark.parametrize(
    "prefix", ["", "module.", "backbone.", "model.", "encoder_q.", "module.encoder_q.", "_model.wrapped.net."]
)
def test_what_stands_in_front_of_the_names_is_taken_off(prefix: str) -> None:
    named = weights(prefix=prefix) | {f"{prefix}fc.weight": torch.zeros(2, 32), "epoch": torch.zeros(())}
    backbone = Backbone(*SMALL)
    found = fit(named, backbone)
    assert (found.prefix, found.share, found.missing, found.problem) == (prefix, 1.0, (), None)
    assert found.unexpected == (f"{prefix}fc.weight", "epoch")
    put(named, backbone, found)
    assert all(torch.equal(value, backbone.state_dict()[name]) for name, value in weights().items())


@pytest.mark.parametrize("outer", ["state_dict", "model", "teacher"])
def test_a_state_dict_within_a_dictionary_is_found(tmp_path: Path, outer: str) -> None:
    torch.save({"epoch": 3, outer: weights(), "loss": [0.5]}, tmp_path / "a.ckpt")
    found = fit(read_weights(tmp_path / "a.ckpt", "a.ckpt"), Backbone(*SMALL))
    assert (found.prefix, found.share) == (f"{outer}.", 1.0)


@pytest.mark.parametrize(
    ("trained", "average"),
    [("encoder_q.", "encoder_k."), ("backbone.", "backbone_momentum."), ("backbone.", "key_backbone.")],
)
def test_of_an_encoder_and_its_momentum_average_the_trained_one_is_taken(trained: str, average: str) -> None:
    both = weights(2, f"module.{average}") | weights(1, f"module.{trained}")
    assert fit(both, Backbone(*SMALL)).prefix == f"module.{trained}"


def test_a_file_of_two_networks_is_refused() -> None:
    with pytest.raises(WeightsRefused, match=r"has 2 networks that fit: save one of student\., teacher\."):
        fit(weights(1, "student.") | weights(2, "teacher."), Backbone(*SMALL))


def test_a_file_of_half_the_weights_is_refused_with_what_it_lacks() -> None:
    half = {name: value for name, value in weights().items() if not name.startswith("layer4")}
    found = fit(half | {"head.weight": torch.zeros(1)}, Backbone(*SMALL))
    assert 0.2 < found.share < 0.3 and all(name.startswith("layer4") for name in found.missing)
    assert found.problem is not None
    assert f"the file has {found.share:.0%} of the backbone's weights, and at least 90% are needed" in found.problem
    assert "it lacks layer4.0.conv1.weight" in found.problem and "nothing reads head.weight" in found.problem


def test_a_file_that_fits_nowhere_lacks_everything() -> None:
    found = fit({"a.b": torch.zeros(1), "c" * 3000 + "\0\n\u202e": torch.zeros(1)}, Backbone(*SMALL))
    assert (found.share, found.matched) == (0.0, ()) and found.problem is not None
    assert len(found.problem) < 1000 and found.problem.isprintable()


def test_a_few_that_are_missing_keep_their_initial_values() -> None:
    named = {name: value for name, value in weights().items() if name != "layer1.0.bn2.weight"}
    backbone = random_backbone(SMALL, seed=0)
    found = fit(named, backbone)
    assert found.missing == ("layer1.0.bn2.weight",) and 0.99 < found.share < 1 and found.problem is None
    put(named, backbone, found)
    initial = random_backbone(SMALL, seed=0).state_dict()
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, (initial if name in found.missing else named)[name])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stem": "cifar"}, "conv1.weight is 4 x 3 x 7 x 7 in the file, and 4 x 3 x 3 x 3"),
        ({"width": 8}, "conv1.weight is 4 x 3 x 7 x 7 in the file, and 8 x 3 x 7 x 7"),
        ({"backbone": "resnet50"}, "layer1.0.conv1.weight is 4 x 4 x 3 x 3 in the file, and 4 x 4 x 1 x 1"),
    ],
)
def test_other_shapes_are_refused_though_most_weights_fit(change: dict[str, str | int], named: str) -> None:
    found = fit(weights(), Backbone(*SMALL._replace(**change)))  # type: ignore[arg-type]
    assert found.problem is not None and found.problem.startswith(named)
    assert named.split()[0] in found.missing


@pytest.mark.parametrize("extra", ["layer1.1.conv1.weight", "conv1.0.weight", "layer4.0.se.fc1.weight", "bn1.2.bias"])
def test_a_network_with_more_layers_is_refused_though_all_weights_fit(extra: str) -> None:
    named, backbone = weights() | {extra: torch.zeros(1)}, Backbone(*SMALL)
    found = fit(named, backbone)
    assert found.share == 1.0 and found.problem is not None
    with pytest.raises(WeightsRefused, match=rf"has layers that a resnet10 .*has not: such as {extra}"):
        put(named, backbone, found)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype) -> None:
    named, backbone = {name: value.to(dtype) for name, value in weights().items()}, Backbone(*SMALL)
    put(named, backbone, fit(named, backbone))
    assert torch.equal(backbone.conv1.weight, named["conv1.weight"].float())


def test_whole_numbers_and_sparse_tensors_are_refused() -> None:
    for wrong in (torch.ones(4, dtype=torch.int64), torch.ones(4).to_sparse()):
        problem = fit(weights() | {"bn1.weight": wrong}, Backbone(*SMALL)).problem
        assert problem is not None and problem.startswith("bn1.weight is of torch.")


@pytest.mark.parametrize(("name", "value"), [("bn1.bias", float("nan")), ("bn1.weight", 1e39), ("bn1.running_var", -1)])
def test_values_that_no_training_leaves_are_refused(name: str, value: float) -> None:
    named, backbone = weights() | {name: torch.full((4,), value, dtype=torch.float64)}, Backbone(*SMALL)
    with pytest.raises(WeightsRefused, match=f"{name} has values that are not finite"):
        put(named, backbone, fit(named, backbone))
