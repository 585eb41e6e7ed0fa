"""Convolutions of small maps: the function of nn.Conv2d, and every gradient right in bf16.

On a CPU with AVX-512 BF16, PyTorch 2.14.1 does not write all of the weight gradient of a strided
bf16 convolution over a 1-pixel map. Taps that see only padding are left out. Jobs on 8 px images
then failed at random epochs, or stored weights of 1e34.
"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from colt_core.events import CheckpointReady, Event
from colt_core.models import Backbone, ProjectionHead
from colt_core.models.convolution import convolution
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import config, difference, images, kinds


def dirty(*sizes: int) -> None:
    """Fill memory that the next tensors of so many bytes will get with NaN, in fp32 and in bf16."""
    blocks = [torch.full((size // 2,), torch.nan, dtype=torch.bfloat16) for size in sizes for _ in range(4)]
    del blocks


def test_what_is_dirtied_comes_back_in_new_tensors() -> None:
    dirty(4608)
    assert any(torch.empty(2304, dtype=torch.bfloat16).isnan().any() for _ in range(4))


@pytest.mark.parametrize(("side", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (3, 3), (5, 2), (7, 2)])
def test_a_convolution_is_the_same_function_as_nn_conv2d(side: int, stride: int) -> None:
    made = convolution(side, 5, 6, stride).double()
    plain = nn.Conv2d(5, 6, side, stride=stride, padding=side // 2, bias=False).double()
    plain.load_state_dict(made.state_dict())
    for height, width in product((1, 2, 3, 4, 8), (1, 2, 5)):
        x = torch.randn(3, 5, height, width, dtype=torch.float64, requires_grad=True)
        found, expected = made(x), plain(x)
        torch.testing.assert_close(found, expected)
        back = torch.randn_like(found)
        torch.testing.assert_close(
            torch.autograd.grad(found, (x, made.weight), back), torch.autograd.grad(expected, (x, plain.weight), back)
        )


# A layer sees maps of ceil(side / 2^k) pixels: here of 1, 2 and 3 wherever that can be.
SIDES = {"cifar": (8, 17), "cifar-stride2": (8, 16, 17), "imagenet": (8, 16, 17, 33)}


@pytest.mark.parametrize("stem", SIDES)
@pytest.mark.parametrize(
    ("name", "width"), [("resnet10", 4), ("resnet10", 16), ("resnet18", 4), ("resnet34", 4), ("resnet50", 4)]
)
def test_every_gradient_of_every_layer_in_bf16_is_that_of_float32(name: str, width: int, stem: Any) -> None:
    torch.manual_seed(0)
    backbone = Backbone(name, width, stem)
    net = nn.Sequential(backbone, ProjectionHead(backbone.num_features, 16)).to(memory_format=torch.channels_last)
    for side in SIDES[stem]:
        assert_layers_right(net, torch.randn(6, 3, side, side).to(memory_format=torch.channels_last))


def assert_layers_right(net: nn.Module, batch: Tensor) -> None:
    """Compare each layer's gradients with those that float32 gives of the layer's own inputs."""
    inputs: dict[str, Tensor] = {}
    passed_back: dict[str, Tensor] = {}
    layers = {name: layer for name, layer in net.named_modules() if list(layer.parameters(recurse=False))}

    def watch(name: str, layer: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
        inputs[name] = given[0].detach().clone()

        def note(gradient: Tensor) -> None:
            passed_back[name] = gradient.clone()
            for parameter in layer.parameters(recurse=False):  # just before the layer's own backward pass
                dirty(2 * parameter.numel(), 4 * parameter.numel())

        output.register_hook(note)

    handles = [layer.register_forward_hook(partial(watch, name)) for name, layer in layers.items()]
    net.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = net(batch)
    outputs.backward(torch.randn(outputs.shape).to(outputs.dtype))
    for handle in handles:
        handle.remove()
    for name, layer in layers.items():
        plain = deepcopy(layer)
        plain.zero_grad()
        # Not that of narrow strided 1x1 convolutions, whose own fault corrupts the heap.
        window = isinstance(plain, nn.Conv2d) and plain.kernel_size != (1, 1)
        forward = partial(nn.Conv2d.forward, plain) if window else plain
        forward(inputs[name].float()).backward(passed_back[name].float())
        for key, parameter in plain.named_parameters(recurse=False):
            found, expected = layer.get_parameter(key).grad, parameter.grad
            assert found is not None and expected is not None
            if window:  # a tap that sees only padding learns nothing
                (seen,) = torch.autograd.grad(
                    nn.Conv2d.forward(plain, torch.ones_like(inputs[name].float())).sum(), plain.weight
                )
                unseen = found[seen == 0]
                assert not unseen.any(), f"{name}.{key} at {tuple(batch.shape)}: not zero where it must be"
            error = (found - expected).abs().max() / expected.abs().max().clamp_min(1e-6)
            assert error < 0.03, f"{name}.{key} at {tuple(batch.shape)}: {error}"


def test_a_run_on_8_px_images_in_bf16_ends_with_equal_bits_each_time() -> None:
    made = config(sampler="none", precision="bf16", width=16, epochs=2, batch_size=16, checkpoint_interval=1)
    train = images(64, seed=1, side=8)

    def once() -> list[Event]:
        dirty(*(2 * 9 * 16 * 16 * 4**stage for stage in range(4)))
        return list(pretrain(made, train))

    first = once()
    state = kinds(first, CheckpointReady)[-1].state  # type: ignore[union-attr]
    conv = state["framework"]["backbone.layer4.0.conv1.weight"]
    assert conv.abs().max() < 10
    for _ in range(2):
        assert difference(once(), first) is None
