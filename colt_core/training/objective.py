"""What a step minimises: L_CL + alpha * L_SCL (COLT, Bai et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.losses import distribution_contrastive, nt_xent, similarity_softmax


@dataclass(frozen=True, slots=True)
class StepLosses:
    """A batch's losses, and what else came of computing them."""

    total: Tensor
    contrastive: Tensor
    distribution: Tensor | None  # not weighted yet; None where the batch holds no OOD sample, or alpha is 0
    per_sample: Tensor  # (B,) each sample's own contrastive loss
    probability: Tensor  # (2B, 2B) of `similarity_softmax`, which tailness rests on too

    def numbers(self) -> Tensor:
        """(3,) total, contrastive and distribution loss, NaN for none: one tensor, so one copy to the host."""
        distribution = torch.full_like(self.total, torch.nan) if self.distribution is None else self.distribution
        return torch.stack([self.total, self.contrastive, distribution]).detach()


def step_losses(z_2BD: Tensor, is_ood_B: Tensor, config: PretrainConfig) -> StepLosses:
    """The losses of a batch's embeddings; both terms share their only 2B x 2B matrix."""
    norm_2B, probability_2B2B = similarity_softmax(z_2BD, config.temperature)
    contrastive, per_sample_B = nt_xent(z_2BD, config.temperature, norm_2B)
    if config.distribution_loss_weight == 0 or not is_ood_B.any():
        return StepLosses(contrastive, contrastive, None, per_sample_B, probability_2B2B)
    distribution = distribution_contrastive(
        z_2BD, is_ood_B, config.temperature, config.distribution_denominator, norm_2B
    )
    total = contrastive + config.distribution_loss_weight * distribution
    return StepLosses(total, contrastive, distribution, per_sample_B, probability_2B2B)
