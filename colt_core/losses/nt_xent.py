"""L_CL: SimCLR's normalised, temperature-scaled cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.losses.inputs import checked_embeddings
from colt_core.losses.log_norm import similarity_softmax

_SMALL = 1e-20  # a probability below has a loss above 46, which the difference of logits gives well


def nt_xent(
    z_2BD: Tensor, temperature: float, log_norm_2B: Tensor | None = None, probability_2B2B: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """L_CL = mean over the 2B anchors of -s_i,partner(i) / tau + log norm_i.

    This is NT-Xent of SimCLR (Chen et al. 2020). Values are those of -log p_i,partner(i), and
    gradients those of the difference. In float32 the difference of logits of size 1 / tau is wrong
    by 7e-6 at tau 0.05. At 0.02 small losses would be negative.

    Args:
        z_2BD: L2-normalised embeddings, two stacked views: row i and row B + i are partners. They
            are used in float32, also under autocast.
        temperature: tau.
        log_norm_2B, probability_2B2B: `similarity_softmax(z_2BD, temperature)`, if it is available.
            Given the first alone, values are those of the difference.

    Returns:
        The loss (a scalar), and each sample's own loss (B,), the mean of its two views. Both are
        differentiable.

    Raises:
        ValueError: if the rows are not two stacked views, or the temperature is not positive.
    """
    z_2BD = checked_embeddings(z_2BD, temperature)
    if log_norm_2B is None:
        log_norm_2B, probability_2B2B = similarity_softmax(z_2BD, temperature)
    view1_BD, view2_BD = z_2BD.chunk(2)
    positive_B = (view1_BD * view2_BD).sum(dim=1) / temperature
    per_sample_B = log_norm_2B.view(2, -1).mean(dim=0) - positive_B
    if probability_2B2B is not None:
        per_sample_B = per_sample_B + _rounding(per_sample_B.detach(), probability_2B2B)
    return per_sample_B.mean(), per_sample_B


def _rounding(per_sample_B: Tensor, probability_2B2B: Tensor) -> Tensor:
    """What a loss by difference lacks to the one read from the softmax; 0 for a huge loss."""
    count = len(per_sample_B)
    probability_2B = torch.cat([probability_2B2B.diagonal(count), probability_2B2B.diagonal(-count)])
    exact_B = -probability_2B.log().view(2, -1).mean(dim=0)
    readable_B = (probability_2B > _SMALL).view(2, -1).all(dim=0)
    return torch.where(readable_B, exact_B - per_sample_B, 0.0)
