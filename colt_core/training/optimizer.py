"""The optimiser of a configuration."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from colt_core.config import PretrainConfig


def build_optimizer(config: PretrainConfig, module: nn.Module) -> Optimizer:
    """Weight decay on every parameter, batch norm's and biases too (released code). The loop sets the learning rate."""
    if config.optimizer == "adamw":
        return AdamW(
            module.parameters(),
            lr=config.learning_rate,
            betas=(config.momentum, 0.999),
            weight_decay=config.weight_decay,
        )
    return SGD(module.parameters(), lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """For the next step, of every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
