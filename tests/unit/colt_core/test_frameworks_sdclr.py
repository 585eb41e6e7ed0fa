"""SDCLR against a slow, obvious reference: the pruned branch as a second network, its weights
copied and zeroed."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.pruned_branch import PrunedBranch
from colt_core.frameworks.sdclr import SDCLR
from colt_core.losses import nt_xent
from colt_core.models import Backbone, ProjectionHead
from colt_core.training.checkpoint import export_backbone, load_backbone
from tests.support.slow import slow_nt_xent
from tests.support.tiny_runs import config, kinds, run

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def sdclr(share: float = 0.6, name: str = "resnet10", seed: int = 0) -> SDCLR:
    """In float64; the two branches' batch norms differ, as they do once trained."""
    torch.manual_seed(seed)
    backbone = Backbone(name, width=4, stem="cifar-stride2")
    framework = SDCLR(backbone, ProjectionHead(backbone.num_features, 6), share).double()
    for module in framework.modules():
        if isinstance(module, NORMS):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return framework


def views(batch_size: int, seed: int = 1) -> Tensor:
    return torch.randn(2 * batch_size, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slow_masks(backbone: nn.Module, share: float) -> dict[str, Tensor]:
    """Every weight of every convolution in one sorted list; ties stay in the network's order."""
    places = [
        (abs(weight), name, position)
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d)
        for position, weight in enumerate(module.weight.flatten().tolist())
    ]
    masks = {name: [1.0] * backbone.get_submodule(name).weight.numel() for _, name, _ in places}
    for _, name, position in sorted(places, key=lambda place: place[0])[: round(share * len(places))]:
        masks[name][position] = 0.0
    return {
        name: torch.tensor(mask, dtype=torch.float64).view(backbone.get_submodule(name).weight.shape)
        for name, mask in masks.items()
    }


def pruned_copy(network: nn.Module, branch: PrunedBranch, masks: dict[str, Tensor]) -> nn.Module:
    """A network of its own: zeros where the mask says so, and the pruned branch's batch norms in
    place of the dense."""
    copied = deepcopy(network)
    for name, mask in masks.items():
        copied.get_submodule(name).weight.data *= mask
    for name, module in network.named_modules():
        if isinstance(module, NORMS):
            copied.get_submodule(name).load_state_dict(branch.norms[name.replace(".", "_")].state_dict())
    return copied


@pytest.mark.parametrize(("name", "share"), [("resnet10", 0.6), ("resnet50", 0.9)])
def test_loss_gradients_and_statistics_are_those_of_two_networks_that_share_weights(name: str, share: float) -> None:
    framework = sdclr(share, name)
    masks = slow_masks(framework.backbone, share)
    dense = deepcopy(framework.backbone), deepcopy(framework.projector)
    pruned = (
        pruned_copy(framework.backbone, framework.pruned_backbone, masks),
        pruned_copy(framework.projector, framework.pruned_projector, {}),
    )
    framework.begin_epoch(1)
    both = views(5)
    z = framework(both).z
    loss, per_sample = nt_xent(z, 0.2)
    loss.backward()

    outputs = [
        projector(backbone(both[at])) for (backbone, projector), at in ((dense, slice(5)), (pruned, slice(5, 10)))
    ]
    slow_z = torch.stack([row / row.square().sum().sqrt() for row in torch.cat(outputs)])
    slow_loss, slow_per_sample = slow_nt_xent(slow_z, 0.2)
    slow_loss.backward()

    torch.testing.assert_close(z.double(), slow_z, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(per_sample.double(), slow_per_sample, atol=1e-6, rtol=1e-5)
    for part, branch, dense_part, pruned_part in zip(
        (framework.backbone, framework.projector),
        (framework.pruned_backbone, framework.pruned_projector),
        dense,
        pruned,
        strict=True,
    ):
        for path, module in part.named_modules():
            one, other = dense_part.get_submodule(path), pruned_part.get_submodule(path)
            if isinstance(module, NORMS):  # two of each: neither sees the other's gradient or statistics
                for mine, slow in ((module, one), (branch.norms[path.replace(".", "_")], other)):
                    close(mine.weight.grad, slow.weight.grad)
                    close(mine.bias.grad, slow.bias.grad)
                    assert isinstance(mine, NORMS) and mine.num_batches_tracked == 1
                    torch.testing.assert_close(mine.running_mean, slow.running_mean)
                    torch.testing.assert_close(mine.running_var, slow.running_var)
            elif isinstance(module, nn.Conv2d):
                close(module.weight.grad, one.weight.grad + other.weight.grad * masks[path])
            elif isinstance(module, nn.Linear):
                close(module.weight.grad, one.weight.grad + other.weight.grad)


def close(ours: Tensor | None, slow: Tensor | None) -> None:
    """Gradients pass through float32 embeddings, so they agree to that relative to the largest."""
    assert ours is not None and slow is not None
    torch.testing.assert_close(ours, slow, rtol=1e-4, atol=1e-5 * float(slow.abs().max()) + 1e-9)


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9])
def test_the_mask_takes_the_smallest_weights_of_all_layers_together(share: float) -> None:
    framework = sdclr(share)
    framework.begin_epoch(1)
    for name, mask in slow_masks(framework.backbone, share).items():
        assert torch.equal(framework.pruned_backbone.get_buffer("mask_" + name.replace(".", "_")), mask.bool()), name


@settings(max_examples=20)
@given(
    magnitudes=st.lists(st.sampled_from([0.0, -0.5, 0.5, 1.0, -2.0]), min_size=4, max_size=4),
    share=st.floats(0, 1),
    channels_last=st.booleans(),
)
def test_equal_weights_at_the_threshold_are_pruned_in_their_order(
    magnitudes: list[float], share: float, channels_last: bool
) -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 4, 2, bias=False))
    for index, value in enumerate(magnitudes):
        network[0].weight.data.view(-1)[index] = value
        network[1].weight.data.view(4, -1)[index] = value
    if channels_last:
        network.to(memory_format=torch.channels_last)
    branch = PrunedBranch(network)
    branch.prune(network, share)
    expected = slow_masks(network, share)
    assert sum(int((mask == 0).sum()) for mask in expected.values()) == round(share * 36)
    for name, mask in expected.items():
        assert torch.equal(branch.get_buffer(f"mask_{name}"), mask.bool())


def test_a_share_that_cannot_be_is_named() -> None:
    framework = sdclr()
    with pytest.raises(ValueError, match=r"0\.\.1, not 1\.5"):
        framework.pruned_backbone.prune(framework.backbone, 1.5)


def test_masks_change_with_the_epoch_and_not_with_the_step() -> None:
    framework = sdclr()
    framework.begin_epoch(1)
    before = framework.pruned_backbone.mask_conv1.clone()
    with torch.no_grad():
        framework.backbone.conv1.weight.copy_(framework.backbone.conv1.weight.flip(0))
    framework(views(2))
    assert torch.equal(framework.pruned_backbone.mask_conv1, before)
    framework.begin_epoch(2)
    assert torch.equal(framework.pruned_backbone.mask_conv1, before.flip(0))


def test_a_pruned_weight_learns_from_the_dense_branch_alone() -> None:
    framework = sdclr(0.5)
    framework.begin_epoch(1)
    mask = framework.pruned_backbone.mask_layer4_0_conv2
    weight = framework.backbone.layer4[0].conv2.weight
    features = framework.pruned_backbone(framework.backbone, views(3))
    (through_pruned,) = torch.autograd.grad(features.square().sum(), weight)
    (through_dense,) = torch.autograd.grad(framework.backbone(views(3)).square().sum(), weight)
    assert not mask.all() and not through_pruned[~mask].any() and through_pruned[mask].any()
    assert through_dense[~mask].any()


def test_a_pass_that_fails_leaves_the_dense_branch_as_it_was() -> None:
    framework = sdclr().eval()
    framework.begin_epoch(1)
    before, state = framework.embed(views(2)), deepcopy(framework.state_dict())

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    hook = framework.backbone.layer3.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        framework.pruned_backbone(framework.backbone, views(2))
    hook.remove()
    assert torch.equal(framework.embed(views(2)), before)
    assert all(torch.equal(value, state[name]) for name, value in framework.state_dict().items())


def test_evaluation_and_export_use_the_dense_branch(tmp_path: Path) -> None:
    made = config(framework="sdclr", sampler="none", epochs=1, checkpoint_interval=1)
    state = kinds(run(made), CheckpointReady)[0].state
    framework = build_framework(made, 26)
    framework.load_state_dict(state["framework"])
    framework.eval()
    images = torch.randn(3, 3, 16, 16)
    features = framework.backbone(images)
    z = nn.functional.normalize(framework.projector(features), dim=1)
    assert torch.equal(framework.embed(images), z)
    backbone, _ = load_backbone(state)
    assert torch.equal(backbone(images), features)
    export_backbone(state, tmp_path / "backbone.safetensors")
    assert load_file(tmp_path / "backbone.safetensors").keys() == Backbone("resnet10", 4).state_dict().keys()


def test_the_initial_weights_are_simclrs() -> None:
    made = PretrainConfig(backbone="resnet10", width=4, projection_dim=8, framework="sdclr")
    ours, simclr = (build_framework(c, 9) for c in (made, made.model_copy(update={"framework": "simclr"})))
    weights = ours.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in simclr.state_dict().items())
