"""COLT's sampler: each cluster picks the OOD images nearest to its centre, up to its budget."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Float32, Int64
from colt_core.samplers.kinds import ColtSettings
from colt_core.samplers.protocol import RoundInputs, Sampler
from colt_core.samplers.search import most_similar_of_many

MAX_CANDIDATES = 2**20  # similarities and indices in memory at a time: 12 MiB


class ColtSampler(Sampler):
    """Greedy: a cluster picks the most similar images that earlier clusters left.

    Args:
        order: which cluster picks first. "index" (released code): 0..C-1 as k-means numbered them.
            "tail_first": the most tail-like first.
    """

    def __init__(self, order: Literal["index", "tail_first"] = "index") -> None:
        self.order = order

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        settings = config.sampler
        assert isinstance(settings, ColtSettings)
        return cls(settings.cluster_order)

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices: clusters in picking order, and most similar first within a cluster."""
        order = [c for c, cluster in enumerate(inputs.clusters) if cluster.budget]
        if self.order == "tail_first":
            order.sort(key=lambda c: -(inputs.clusters[c].tailness or 0.0))  # an empty one picks nothing
        budgets = [inputs.clusters[c].budget for c in order]
        return nearest_unpicked(inputs.centers[order], budgets, inputs.ood_z)


def nearest_unpicked(
    centers_CD: Float32, budgets: list[int], ood_z_MD: Embeddings, max_candidates: int = MAX_CANDIDATES
) -> Int64:
    """Row numbers of `ood_z` that each centre in turn picks by highest inner product.

    Each row is picked at most once. Earlier centres picked at most the sum of their budgets. A
    centre therefore needs to search only as many neighbours as that sum plus its own budget. The
    result is the same as from scanning the whole pool.

    Raises:
        ValueError: if the budgets exceed the pool.
    """
    bounds = np.cumsum(budgets)
    if bounds[-1] > len(ood_z_MD):
        raise ValueError(f"a budget of {bounds[-1]} is more than the {len(ood_z_MD)} images of the pool")
    free_M = np.ones(len(ood_z_MD), dtype=bool)
    picks = []
    first = 0
    while first < len(budgets):
        # As many centres at a time as `max_candidates` allows, but at least one. Bounds only grow.
        fitting = np.count_nonzero(bounds[first:] * np.arange(1, len(bounds) - first + 1) <= max_candidates)
        last = first + max(1, int(fitting))
        _, nearest = most_similar_of_many(centers_CD[first:last], ood_z_MD, int(bounds[last - 1]))
        for neighbors, budget in zip(nearest, budgets[first:last], strict=True):
            picked = neighbors[free_M[neighbors]][:budget]
            free_M[picked] = False
            picks.append(picked)
        first = last
    return np.concatenate(picks).astype(np.int64)
