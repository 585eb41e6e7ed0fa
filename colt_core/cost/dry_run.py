"""Measures the activations of an encoder by forward passes over two small batches."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.cost.memory import Activations
from colt_core.frameworks.build import build_framework
from colt_core.training.device import Compute

_FEW, _MORE = 2, 3  # images: a pruned branch's batch norms need two views each


def measured_activations(config: PretrainConfig, image_size: int) -> Activations:
    """What autograd keeps of a forward pass of the framework, on the run's device and precision.

    The framework is a new one, so that a run's batch norms do not change.

    Args:
        config: the run. `device` and `precision` are resolved here as for the run.
        image_size: S, the side of the images in pixels.

    Raises:
        DeviceMissing: for "cuda" without a CUDA device.
    """
    compute = Compute.of(config)
    framework = build_framework(config, num_train=1)
    compute.module(framework)
    framework.train()
    own = {parameter.untyped_storage().data_ptr() for parameter in framework.parameters()}
    few, more = (_kept_bytes(framework, count, image_size, compute, own) for count in (_FEW, _MORE))
    per_view = (more - few) / (2 * (_MORE - _FEW))
    return Activations(per_view, max(0.0, few - 2 * _FEW * per_view), measured=True)


def _kept_bytes(framework: torch.nn.Module, images: int, side: int, compute: Compute, own: set[int]) -> int:
    """Bytes of all storages that the backward pass would read, the weights and the views aside."""
    kept: dict[int, Tensor] = {}
    views = torch.zeros(2 * images, 3, side, side, device=compute.device).to(memory_format=torch.channels_last)
    known = own | {views.untyped_storage().data_ptr()}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in known:
            kept[place] = tensor  # held, so that no other storage takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), compute.deterministic():
        with compute.autocast():
            outputs = framework(views)
        del outputs
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
