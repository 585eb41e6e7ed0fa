"""The optimiser of a configuration."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from colt_core.config import PretrainConfig


def build_optimizer(config: PretrainConfig, module: nn.Module) -> Optimizer:
    """An optimiser for the parameters that require a gradient. The loop sets the learning rate.

    Weight decay acts on all of them, including batch norm and biases (released code). On a GPU a
    step is one fused kernel. On a CPU that would save only 0.2 % of a step.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    on_gpu = trained[0].is_cuda
    if config.optimizer == "adamw":
        return AdamW(
            trained,
            lr=config.learning_rate,
            betas=(config.momentum, 0.999),
            weight_decay=config.weight_decay,
            fused=on_gpu,
        )
    return SGD(
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
