"""Tailness of ID samples (COLT, Bai et al. 2023).

An image with few near neighbours among a batch's negatives has high tailness.
"""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.averages import averages, update_averages_
from colt_core.losses import similarity_softmax
from colt_core.losses.inputs import checked_embeddings, checked_ood_mask


@torch.no_grad()
def negative_tailness(
    z_2BD: Tensor,
    temperature: float,
    top_k: float,
    is_ood_B: Tensor | None = None,
    ood_in_negatives: bool = True,
    probability_2B2B: Tensor | None = None,
) -> Tensor:
    """Raw scores of a batch: minus the sum of the `top_k` largest negative probabilities.

    Probabilities are p_ij = exp(s_ij/tau) / norm_i, averaged over the two views of i. The partner
    is part of norm_i, but is not a negative. A sample with few near neighbours has a small sum and
    so a larger score: it is closer to the tail.

    Args:
        z_2BD: L2-normalised embeddings, two stacked views.
        temperature: tau.
        top_k: how many negatives to sum: an integer (released code), or a share in (0, 1) of the
            negatives (paper). If a batch has fewer, all are summed.
        is_ood_B: bool, which samples are OOD. Needed if `ood_in_negatives` is False.
        ood_in_negatives: False leaves OOD embeddings out of the sum and the norm of an ID sample,
            as if the batch had none. Images that a sampler picked then do not lower the score of
            the samples that they were picked for.
        probability_2B2B: the second result of `similarity_softmax(z_2BD, temperature)`, if it is
            available. It is not changed. It is not used if OOD embeddings are left out.

    Returns:
        (B,) scores in -1..0 of every sample, also OOD, on the embeddings' device.

    Raises:
        ValueError: if an input has a wrong shape, type or value.
    """
    z_2BD = checked_embeddings(z_2BD, temperature)
    batch_size, num_left_out = len(z_2BD) // 2, 0
    if not ood_in_negatives:
        if is_ood_B is None:
            raise ValueError("ood_in_negatives=False needs is_ood_B")
        is_ood_2B = checked_ood_mask(is_ood_B, z_2BD)
        num_left_out = 2 * int(is_ood_B.sum())
    if num_left_out:
        p_ij = _softmax_without(is_ood_2B, z_2BD, temperature)
    elif probability_2B2B is None:
        p_ij = similarity_softmax(z_2BD, temperature)[1]
    elif probability_2B2B.shape == (len(z_2BD), len(z_2BD)):
        p_ij = probability_2B2B
    else:
        raise ValueError(f"probability must be {len(z_2BD)} x {len(z_2BD)}, not {tuple(probability_2B2B.shape)}")
    num_negatives = max(0, len(z_2BD) - 2 - num_left_out)
    p_B2B = torch.add(p_ij[:batch_size], p_ij[batch_size:]).mul_(0.5)
    p_B2B.diagonal().zero_()  # own column of view 1
    p_B2B.diagonal(batch_size).zero_()  # own column of view 2; neither is a negative
    return -p_B2B.topk(_num_columns(top_k, num_negatives), dim=1, sorted=False).values.sum(dim=1)


def _softmax_without(is_ood_2B: Tensor, z_2BD: Tensor, temperature: float) -> Tensor:
    """p_ij of a batch without its OOD embeddings. Their columns are 0."""
    with torch.autocast(z_2BD.device.type, enabled=False):
        p_ij = (z_2BD / temperature) @ z_2BD.T
    return p_ij.fill_diagonal_(-torch.inf).masked_fill_(is_ood_2B, -torch.inf).softmax(dim=1)


def _num_columns(top_k: float, num_negatives: int) -> int:
    if 0 < top_k < 1:
        return min(num_negatives, max(1, round(top_k * num_negatives)))
    if top_k < 1 or top_k != int(top_k):
        raise ValueError(f"top_k must be a positive integer or a share in (0, 1), not {top_k}")
    return min(num_negatives, int(top_k))


class TailnessTracker:
    """Every training sample's tailness, averaged over epochs.

    The first raw score is a sample's tailness. Later, s <- m*s + (1-m)*new. A sample without a new
    score keeps its value. The state is two vectors of length N.
    """

    def __init__(self, num_samples: int, momentum: float) -> None:
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, not {num_samples}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), not {momentum}")
        self.momentum = momentum
        self._score_N = torch.zeros(num_samples)
        self._seen_N = torch.zeros(num_samples, dtype=torch.bool)

    def update(self, index_B: Tensor, raw_B: Tensor) -> None:
        """Add one batch's raw scores of `negative_tailness`, by sample index (int64).

        Raises:
            ValueError: if the shapes differ, an index repeats, or a score is not finite.
            IndexError: if an index is outside 0..N-1.
        """
        update_averages_(self._score_N, self._seen_N, index_B, raw_B, self.momentum)

    def scores(self) -> Tensor:
        """(N,) float32 scores, as a copy.

        A sample without a score gets the mean of the others, so it is neither head nor tail.
        """
        return averages(self._score_N, self._seen_N)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the state. The momentum is not part of it but of the configuration."""
        return {"score": self._score_N.clone(), "seen": self._seen_N.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load a `state_dict`.

        Raises:
            ValueError: if it has another number of samples.
        """
        score_N, seen_N = state["score"], state["seen"]
        if score_N.shape != self._score_N.shape or seen_N.shape != self._seen_N.shape:
            raise ValueError(f"the state has {len(score_N)} samples, but the tracker has {len(self._score_N)}")
        self._score_N.copy_(score_N)
        self._seen_N.copy_(seen_N)
