"""BCL (Zhou et al., ICML 2022).

The worse a sample is memorised, the more strongly its views are augmented.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from colt_core.averages import averages, update_averages_
from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import Framework
from colt_core.frameworks.kinds import BclSettings
from colt_core.frameworks.sdclr import SDCLR
from colt_core.frameworks.simclr import SimCLR
from colt_core.models import Backbone


class BCL(Framework):
    """The memorisation part of BCL. :class:`BCLI` and :class:`BCLD` add it to a framework.

    Every training sample's loss l is averaged over epochs: m_k is the first loss, then beta * m_k +
    (1 - beta) * l. At the start of an epoch, strengths are M_k = ((m_k - mean m) / max_j |m_j -
    mean m| + 1) / 2. In the first epoch they are 0. OOD samples have no average loss, and M = 0.

    Args:
        num_train: images of the training part.
        loss_momentum: beta.
        base: arguments of the framework that it is added to.
    """

    def __init__(
        self, backbone: Backbone, projector: nn.Module, *, num_train: int, loss_momentum: float = 0.97, **base: Any
    ) -> None:
        super().__init__(backbone, projector, **base)
        self.loss_momentum = loss_momentum
        self.loss_N = nn.Buffer(torch.zeros(num_train))
        self.seen_N = nn.Buffer(torch.zeros(num_train, dtype=torch.bool))
        self.strength_N = nn.Buffer(torch.zeros(num_train))

    @classmethod
    def of(cls, config: PretrainConfig, backbone: Backbone, projector: nn.Module, num_train: int) -> BCL:
        """The variant of a configuration."""
        settings = config.framework
        assert isinstance(settings, BclSettings)
        beta = settings.loss_momentum
        if settings.bcl_variant == "I":
            return BCLI(backbone, projector, num_train=num_train, loss_momentum=beta)
        prune_share = settings.prune_share
        return BCLD(backbone, projector, num_train=num_train, loss_momentum=beta, prune_share=prune_share)

    def begin_epoch(self, epoch: int) -> None:
        """Update the strengths."""
        super().begin_epoch(epoch)
        if self.seen_N.any():
            self.strength_N.copy_(memorization_strength(averages(self.loss_N, self.seen_N)))

    def augmentation_strength(self, index_B: Tensor, is_ood_B: Tensor) -> Tensor:
        """M of each sample of a batch, (B,) float32 on the host."""
        strength_B = torch.zeros(len(index_B))
        strength_B[~is_ood_B] = self.strength_N[index_B[~is_ood_B].to(self.strength_N.device)].cpu()
        return strength_B

    def observe(self, index_B: Tensor, is_ood_B: Tensor, loss_B: Tensor) -> None:
        """Add losses of a batch's ID samples to the averages. A loss is the mean of two views."""
        is_id_B = ~is_ood_B
        update_averages_(self.loss_N, self.seen_N, index_B[is_id_B], loss_B.cpu()[is_id_B], self.loss_momentum)


class BCLI(BCL, SimCLR):
    """BCL-I: SimCLR with one RandAugment operation for each view."""


class BCLD(BCL, SDCLR):
    """BCL-D: SDCLR with two RandAugment operations for each view. It has SDCLR's `prune_share`."""


def memorization_strength(loss_N: Tensor) -> Tensor:
    """M_k = ((m_k - mean m) / max_j |m_j - mean m| + 1) / 2 of averaged losses m (N,), in 0..1.

    Losses that differ by no more than float32's rounding count as equal: all M are 1/2.
    """
    loss_N = loss_N.double()
    deviation_N = loss_N - loss_N.mean()
    largest = deviation_N.abs().max()
    if largest <= torch.finfo(torch.float32).eps * loss_N.abs().max():
        return torch.full_like(loss_N, 0.5).float()
    return ((deviation_N / largest + 1) / 2).float()
