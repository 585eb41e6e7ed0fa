"""The toy framework."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.batch import Batch
from colt_core.frameworks.framework import ViewOutputs
from colt_core.frameworks.simclr import SimCLR


class Noisy(SimCLR):
    """SimCLR, with noise on its views whose strength falls from step to step."""

    def __init__(self, backbone: torch.nn.Module, projector: torch.nn.Module, noise: float) -> None:
        super().__init__(backbone, projector)
        self.strength = torch.nn.Buffer(torch.tensor(noise))

    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        return super().forward(views_2B3SS + self.strength * views_2B3SS.flip(0))

    def after_step(self, outputs: ViewOutputs, batch: Batch) -> None:
        self.strength.mul_(0.9)
