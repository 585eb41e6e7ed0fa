"""L_CL: SimCLR's normalised, temperature-scaled cross entropy."""

from __future__ import annotations

from torch import Tensor

from colt_core.losses.inputs import checked_embeddings
from colt_core.losses.log_norm import log_norm


def nt_xent(z_2BD: Tensor, temperature: float, log_norm_2B: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """L_CL = mean over the 2B anchors of -s_i,partner(i) / tau + log norm_i.

    This is NT-Xent of SimCLR (Chen et al. 2020).

    Args:
        z_2BD: L2-normalised embeddings, two stacked views: row i and row B + i are partners. They
            are used in float32, also under autocast.
        temperature: tau.
        log_norm_2B: `log_norm(z_2BD, temperature)`, if it is available.

    Returns:
        The loss (a scalar), and each sample's own loss (B,), the mean of its two views. Both are
        differentiable.

    Raises:
        ValueError: if the rows are not two stacked views, or the temperature is not positive.
    """
    z_2BD = checked_embeddings(z_2BD, temperature)
    if log_norm_2B is None:
        log_norm_2B = log_norm(z_2BD, temperature)
    view1_BD, view2_BD = z_2BD.chunk(2)
    positive_B = (view1_BD * view2_BD).sum(dim=1) / temperature
    per_sample_B = log_norm_2B.view(2, -1).mean(dim=0) - positive_B
    return per_sample_B.mean(), per_sample_B
