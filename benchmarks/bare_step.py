"""A training step without data: forward, losses, backward and optimiser on given views."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import SGD
from torch.utils.flop_counter import FlopCounterMode

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import ContrastiveLoss
from colt_core.training.device import Compute
from colt_core.training.objective import step_losses
from colt_core.training.optimizer import build_optimizer

_OOD_SHARE = 0.3


class BareStep:
    """A callable training step of a configuration, on noise.

    Args:
        fused: SGD with one kernel for each parameter, instead of the configuration's optimiser.
    """

    def __init__(self, config: PretrainConfig, size: int = 32, *, fused: bool = False) -> None:
        self.config = config
        self.compute = Compute.of(config)
        self.framework = build_framework(config, config.batch_size)
        self.compute.module(self.framework)
        self.optimizer = build_optimizer(config, self.framework)
        if fused:
            self.optimizer = SGD(self.framework.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
        generator = torch.Generator().manual_seed(0)
        views = torch.randn(2 * config.batch_size, 3, size, size, generator=generator)
        self.views = views.to(self.compute.device, memory_format=torch.channels_last)
        is_ood = torch.rand(config.batch_size, generator=generator) < _OOD_SHARE
        self.batch = Batch(self.views, is_ood, torch.arange(config.batch_size), first_pass=True)

    def __call__(self) -> tuple[Tensor, ContrastiveLoss]:
        """Take one step. Returns the inputs of tailness."""
        with self.compute.autocast():
            outputs = self.framework(self.views)
        contrastive = self.framework.loss(outputs, self.batch, self.config.temperature)
        losses = step_losses(contrastive, outputs.z, self.batch.is_ood, self.config)
        self.optimizer.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.framework.after_step(outputs, self.batch)
        return outputs.z.detach(), contrastive

    def gflop(self) -> float:
        """10^9 floating-point operations of a step's convolutions and matrix products.

        PyTorch counts them. A multiplication with its addition counts as two, as in rates of matrix
        products.
        """
        with FlopCounterMode(display=False) as counter:
            self()
        operations: int = counter.get_total_flops()
        return operations / 1e9
