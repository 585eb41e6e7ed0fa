"""How evenly embeddings cover the sphere (Wang & Isola 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colt_core.events import Float32
from colt_core.samplers.search import as_embeddings

_BLOCK = 1024  # rows compared at a time: memory holds a block of the matrix of pairs, never all of it


@torch.no_grad()
def uniformity(z_ND: Float32 | Tensor) -> float:
    """log mean exp(-2 |z_a - z_b|^2) over the unordered pairs a != b (Wang & Isola 2020).

    Args:
        z_ND: L2-normalised embeddings, N >= 2.

    Returns:
        -8..0: 0 where all embeddings are one point, near -4 where they are spread evenly over a sphere of many
        dimensions.

    Raises:
        ValueError: for fewer than two embeddings, or some that are not normalised.
    """
    z = torch.from_numpy(as_embeddings(z_ND, "z_ND"))
    count = len(z)
    if count < 2:
        raise ValueError("uniformity is over pairs, and there is only one embedding")
    total = torch.tensor(-torch.inf, dtype=torch.float64)
    for start in range(0, count, _BLOCK):
        # Rows start.. against columns start..: above the diagonal, each pair once. -2 |a - b|^2 = 4 a.b - 4.
        exponents = (z[start : start + _BLOCK] @ z[start:].T).clamp_(max=1).sub_(1).mul_(4)
        later = torch.ones_like(exponents, dtype=torch.bool).triu_(diagonal=1)
        total = torch.logaddexp(total, exponents[later].double().logsumexp(dim=0))
    return float(total) - math.log(count * (count - 1) / 2)
