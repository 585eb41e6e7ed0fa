"""Tailness of ID samples: how few near neighbours an image has among a batch's negatives (COLT, Bai et al. 2023)."""

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
    """One batch's raw score s: minus the sum of a sample's `top_k` largest negative probabilities.

    p_ij = exp(s_ij/tau) / norm_i, averaged over the two views of i; the partner is in norm_i, but is no candidate.
    A sample with few near neighbours has a small sum, so a larger s: nearer the tail.

    Args:
        z_2BD: L2-normalised embeddings, two stacked views.
        temperature: tau.
        top_k: how many negatives to sum: an integer (released code), or a share in (0, 1) of the negatives (paper).
            Where a batch has fewer, all of them.
        is_ood_B: bool, which samples are OOD; needed where OOD embeddings shall not count.
        ood_in_negatives: False leaves OOD embeddings out of both the sum and the norm of an ID sample, as if the batch
            were without them. (Then what the sampler added does not lower the score of what it was added for.)
        probability_2B2B: the second result of `similarity_softmax(z_2BD, temperature)`, where it is at hand already;
            it stays as it is, and has no use where OOD embeddings are left out.

    Returns:
        (B,) in -1..0, on the embeddings' device, of every sample, OOD ones too.

    Raises:
        ValueError: for inputs of another form.
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
    p_B2B.diagonal(batch_size).zero_()  # and of view 2: neither is a negative
    return -p_B2B.topk(_num_columns(top_k, num_negatives), dim=1, sorted=False).values.sum(dim=1)


def _softmax_without(is_ood_2B: Tensor, z_2BD: Tensor, temperature: float) -> Tensor:
    """p_ij of a batch without the OOD embeddings, whose columns are 0."""
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
    """Every training sample's tailness over epochs: its first raw score, then the moving average s <- m*s + (1-m)*new.

    It keeps two vectors of length N; a sample that an epoch misses keeps its last value.
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
        """Take in one batch's raw scores of `negative_tailness`, by sample index (int64).

        Raises:
            ValueError: if the shapes differ, an index repeats, or a score is not finite.
            IndexError: if an index is outside 0..N-1.
        """
        update_averages_(self._score_N, self._seen_N, index_B, raw_B, self.momentum)

    def scores(self) -> Tensor:
        """(N,) float32, a copy. A sample never seen counts as the mean of the seen: neither head nor tail."""
        return averages(self._score_N, self._seen_N)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of what `load_state_dict` needs; the momentum belongs to the configuration."""
        return {"score": self._score_N.clone(), "seen": self._seen_N.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state_dict`.

        Raises:
            ValueError: if it belongs to another number of samples.
        """
        score_N, seen_N = state["score"], state["seen"]
        if score_N.shape != self._score_N.shape or seen_N.shape != self._seen_N.shape:
            raise ValueError(f"the state is of {len(score_N)} samples, the tracker of {len(self._score_N)}")
        self._score_N.copy_(score_N)
        self._seen_N.copy_(seen_N)
