"""How many OOD images each cluster is granted: the more tail-like, the more."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colt_core.events import Cluster, Float32, Int64

Float64 = NDArray[np.float64]


def budgeted_clusters(
    tailness_N: Float32,
    labels_N: Int64,
    num_clusters: int,
    budget: int,
    temperature: float = 1.0,
    remainder: Literal["largest", "last"] = "largest",
) -> tuple[Cluster, ...]:
    """Every cluster's size, tailness (mean of its members), weight and budget; an empty cluster has none of them, 0."""
    sizes_C = np.bincount(labels_N, minlength=num_clusters)
    sums_C = np.bincount(labels_N, weights=tailness_N, minlength=num_clusters)
    tailness_C = sums_C / np.maximum(sizes_C, 1)
    weights_C = cluster_weights(tailness_C, sizes_C > 0, temperature)
    budgets_C = integer_budgets(weights_C, budget, remainder)
    return tuple(
        Cluster(int(size), float(tailness), float(weight), int(granted))
        for size, tailness, weight, granted in zip(sizes_C, tailness_C, weights_C, budgets_C, strict=True)
    )


def cluster_weights(tailness_C: Float64, occupied_C: NDArray[np.bool_], temperature: float) -> Float64:
    """Softmax over the occupied clusters of (tailness standardised by mean and unbiased std) / temperature.

    Equal scores (a spread within float32's rounding) and a single cluster give equal weights: standardising
    them would divide by a deviation of 0, or blow rounding noise up to budgets.

    Returns:
        (C,) that sums to 1; 0 for an empty cluster.

    Raises:
        ValueError: if the temperature is not positive, or no cluster is occupied.
    """
    if not temperature > 0:
        raise ValueError(f"cluster_temperature must be positive, not {temperature}")
    if not occupied_C.any():
        raise ValueError("every cluster is empty")
    scores = tailness_C[occupied_C]
    rounding = np.finfo(np.float32).eps * np.abs(scores).max()
    deviation = scores.std(ddof=1) if len(scores) > 1 else 0.0
    standardised = (scores - scores.mean()) / deviation if deviation > rounding else np.zeros_like(scores)
    exponentials = np.exp((standardised - standardised.max()) / temperature)
    weights_C = np.zeros_like(tailness_C)
    weights_C[occupied_C] = exponentials / exponentials.sum()
    return weights_C


def integer_budgets(weights_C: Float64, budget: int, remainder: Literal["largest", "last"]) -> Int64:
    """Whole numbers near weight * budget that sum to the budget.

    Args:
        weights_C: they sum to 1; a cluster of weight 0 is granted nothing.
        budget: K.
        remainder: what rounding down leaves over goes one each to the largest fractions ("largest"), or all of it to
            the last cluster that has a weight ("last": the released code).
    """
    shares_C = weights_C * budget
    budgets_C: Int64 = np.floor(shares_C).astype(np.int64)
    left = budget - int(budgets_C.sum())
    weighted = np.flatnonzero(weights_C)
    if remainder == "last":
        budgets_C[weighted[-1]] += left
    else:
        by_fraction = weighted[np.argsort((budgets_C - shares_C)[weighted], kind="stable")]
        budgets_C[by_fraction[:left]] += 1
    return budgets_C
