"""Moving averages over epochs of one value for each training sample.

A sample has at most one value an epoch, and may miss epochs.
"""

from __future__ import annotations

import torch
from torch import Tensor


def update_averages_(average_N: Tensor, seen_N: Tensor, index_B: Tensor, new_B: Tensor, momentum: float) -> None:
    """Add one batch's values to the averages, in place.

    A sample's first value is its average. Later, a <- momentum * a + (1 - momentum) * new.

    Args:
        average_N: float32, every sample's average so far.
        seen_N: bool, which samples have an average.
        index_B: int64, the samples of the new values, each at most once.
        new_B: the new values.

    Raises:
        ValueError: if the shapes differ, an index repeats, or a value is not finite. Nothing is
            changed then.
        IndexError: if an index is outside 0..N-1.
    """
    index_B, new_B = index_B.to(average_N.device), new_B.detach().to(average_N.device).float()
    if index_B.ndim != 1 or index_B.shape != new_B.shape:
        raise ValueError(f"index and scores must be vectors of the same length, not {index_B.shape} and {new_B.shape}")
    if index_B.numel() == 0:
        return
    low, high = int(index_B.min()), int(index_B.max())
    if low < 0 or high >= len(average_N):
        raise IndexError(f"sample index {low if low < 0 else high} is outside 0..{len(average_N) - 1}")
    if (index_B.sort().values.diff() == 0).any():
        raise ValueError("a sample index repeats within one update")
    if not new_B.isfinite().all():
        raise ValueError(f"the score of sample {int(index_B[~new_B.isfinite()][0])} is not finite")
    averaged_B = momentum * average_N[index_B] + (1 - momentum) * new_B
    average_N[index_B] = torch.where(seen_N[index_B], averaged_B, new_B)
    seen_N[index_B] = True


def averages(average_N: Tensor, seen_N: Tensor) -> Tensor:
    """(N,) float32 averages, as a copy.

    A sample without a value gets the mean of the others. Without any value, all are 0.
    """
    if not seen_N.any():
        return torch.zeros_like(average_N)
    return torch.where(seen_N, average_N, average_N[seen_N].double().mean().float())
