"""The optimiser of a configuration."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from colt_core.config import PretrainConfig

T = TypeVar("T", bound=Optimizer)


def without_dynamo(optimizer: type[T]) -> type[T]:
    """The same optimiser, for training that is never compiled.

    PyTorch (2.14) wraps five methods for `torch.compile`. The first call of any of them imports
    `torch._dynamo`, which takes two seconds of a process's start. What they wrap is taken instead.
    """
    wrapped = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in wrapped}
    step = torch.no_grad()(inspect.unwrap(optimizer.step))
    return type(optimizer.__name__, (optimizer,), {**methods, "step": step})


def build_optimizer(config: PretrainConfig, module: nn.Module) -> Optimizer:
    """An optimiser for the parameters that require a gradient. The loop sets the learning rate.

    Weight decay acts on all of them, including batch norm and biases (released code). On a GPU a
    step is one fused kernel. On a CPU that would save only 0.2 % of a step.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    on_gpu = trained[0].is_cuda
    if config.optimizer == "adamw":
        return without_dynamo(AdamW)(
            trained,
            lr=config.learning_rate,
            betas=(config.momentum, 0.999),
            weight_decay=config.weight_decay,
            fused=on_gpu,
        )
    return without_dynamo(SGD)(
        trained,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=on_gpu,
    )


def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load another optimiser's `state_dict`, from any device.

    Whether steps are fused stays as it is for this optimiser.

    Args:
        state: the optimiser keeps and changes it, so pass a copy.
    """
    for group, own in zip(state["param_groups"], optimizer.param_groups, strict=True):
        group["fused"] = own["fused"]
    optimizer.load_state_dict(state)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every parameter for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
