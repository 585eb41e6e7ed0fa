"""Uniformity: how evenly embeddings cover the sphere (Wang & Isola 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import Uniformity, UniformityConfig
from colt_core.analyses.views import choose, embed_images
from colt_core.embeddings import as_embeddings
from colt_core.events import Float32

BLOCK = 2**22  # pairs compared at a time, so that memory never holds all pairs


def analyze(settings: UniformityConfig, subject: Analysed) -> Uniformity:
    """The analysis `uniformity`."""
    index = choose(len(subject.images), settings.num_samples, settings.seed)
    if len(index) < 2:
        raise ValueError("uniformity needs at least two training images, and there is only one")
    z_ND = embed_images(subject.encoder, subject.images, index, subject.config.precision)
    by_class = None
    if subject.has_labels:
        of_class = [z_ND[subject.labels[index] == c] for c in range(subject.num_classes)]
        by_class = [uniformity(z) if len(z) > 1 else None for z in of_class]
    return Uniformity(uniformity=uniformity(z_ND), by_class=by_class, num_samples=len(index))


@torch.no_grad()
def uniformity(z_ND: Float32 | Tensor, block: int = BLOCK) -> float:
    """log mean exp(-2 |z_a - z_b|^2) over the unordered pairs a != b (Wang & Isola 2020).

    Args:
        z_ND: L2-normalised embeddings, N >= 2.
        block: pairs compared at a time. It changes the memory, not the result.

    Returns:
        -8..0: 0 if all embeddings are equal, near -4 if they are spread evenly over a sphere of
        many dimensions.

    Raises:
        ValueError: for fewer than two embeddings, or if some are not normalised.
    """
    z = torch.from_numpy(as_embeddings(z_ND, "z_ND"))
    count = len(z)
    if count < 2:
        raise ValueError("uniformity needs at least two embeddings, and there is only one")
    rows = max(1, block // count)
    total = 0.0
    for start in range(0, count, rows):
        # Rows and columns begin at `start`, so each pair is above the diagonal once. Exponents -2
        # |a - b|^2 = 4 a.b - 4 are in -8..0. No exponential overflows or vanishes, so a plain sum
        # is safe.
        products = (z[start : start + rows] @ z[start:].T).clamp_(max=1)
        total += float(products.sub_(1).mul_(4).exp_().triu_(diagonal=1).sum(dtype=torch.float64))
    return math.log(total / (count * (count - 1) / 2))
