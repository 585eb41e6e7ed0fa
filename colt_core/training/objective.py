"""The loss that a step minimises: L = L_CL + alpha * L_SCL (COLT, Bai et al. 2023, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.frameworks.framework import ContrastiveLoss
from colt_core.losses import distribution_contrastive


@dataclass(frozen=True, slots=True)
class StepLosses:
    """A batch's losses."""

    total: Tensor
    contrastive: Tensor
    distribution: Tensor | None  # not weighted yet; None if the batch has no OOD sample or alpha is 0

    def numbers(self) -> Tensor:
        """(3,) total, contrastive and distribution loss; NaN if there is none.

        They are one tensor so that they take one copy to the host.
        """
        distribution = torch.full_like(self.total, torch.nan) if self.distribution is None else self.distribution
        return torch.stack([self.total, self.contrastive, distribution]).detach()


def step_losses(contrastive: ContrastiveLoss, z_2BD: Tensor, is_ood_B: Tensor, config: PretrainConfig) -> StepLosses:
    """The framework's loss, plus the distribution-level loss if the batch has OOD samples.

    Args:
        contrastive: the framework's own loss. If it uses NT-Xent's softmax, both terms share one 2B
            x 2B matrix.
        z_2BD: the batch's embeddings, two stacked views.
        is_ood_B: bool, which samples are OOD.
        config: temperature (not that of L_CL's schedule), distribution_loss_weight and
            distribution_denominator are read.
    """
    if config.distribution_loss_weight == 0 or not is_ood_B.any():
        return StepLosses(contrastive.mean, contrastive.mean, None)
    distribution = distribution_contrastive(
        z_2BD, is_ood_B, config.temperature, config.distribution_denominator, contrastive.log_norm
    )
    total = contrastive.mean + config.distribution_loss_weight * distribution
    return StepLosses(total, contrastive.mean, distribution)
