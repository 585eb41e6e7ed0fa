"""Budgets of OOD images for clusters: the more tail-like a cluster, the larger its budget."""

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
    """Every cluster's size, mean tailness, weight and budget. An empty one has None, 0 and 0."""
    sizes_C = np.bincount(labels_N, minlength=num_clusters)
    sums_C = np.bincount(labels_N, weights=tailness_N, minlength=num_clusters)
    tailness_C = sums_C / np.maximum(sizes_C, 1)
    weights_C = cluster_weights(tailness_C, sizes_C > 0, temperature)
    budgets_C = integer_budgets(weights_C, budget, remainder)
    return tuple(
        Cluster(int(size), float(tailness) if size else None, float(weight), int(granted))
        for size, tailness, weight, granted in zip(sizes_C, tailness_C, weights_C, budgets_C, strict=True)
    )


def cluster_weights(tailness_C: Float64, occupied_C: NDArray[np.bool_], temperature: float) -> Float64:
    """Softmax of standardised tailness / temperature, over the occupied clusters.

    Tailness is standardised by mean and unbiased standard deviation. If scores differ by no more
    than float32's rounding, all weights are equal. Standardising them would divide by 0, or turn
    rounding noise into budgets.

    Returns:
        (C,) weights that sum to 1; 0 for an empty cluster.

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
    """Round weight * budget to whole numbers that sum to the budget.

    Args:
        weights_C: weights that sum to 1. A cluster of weight 0 gets nothing.
        budget: K.
        remainder: who gets what rounding down leaves over. With "largest", the largest fractions
            get one each. With "last" (released code), the last cluster with a weight gets all.
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
