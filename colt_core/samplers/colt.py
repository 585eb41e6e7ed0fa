"""COLT's own sampler: each cluster takes its budget of the OOD images nearest to its centre."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Float32, Int64
from colt_core.samplers.kinds import ColtSettings
from colt_core.samplers.protocol import RoundInputs
from colt_core.samplers.search import most_similar_of_many

MAX_CANDIDATES = 2**20  # similarities and indices held at a time: 12 MiB


class ColtSampler:
    """Greedy: a cluster picks the most similar of what those before it left.

    Args:
        order: which cluster picks first: 0..C-1 as k-means numbered them ("index", released code), or the most
            tail-like ("tail_first").
    """

    needs_measures = False

    def __init__(self, order: Literal["index", "tail_first"] = "index") -> None:
        self.order = order

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler that a configuration describes."""
        settings = config.sampler
        assert isinstance(settings, ColtSettings)
        return cls(settings.cluster_order)

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices: by cluster in picking order, most similar first within a cluster."""
        order = [c for c, cluster in enumerate(inputs.clusters) if cluster.budget]
        if self.order == "tail_first":
            order.sort(key=lambda c: -inputs.clusters[c].tailness)
        budgets = [inputs.clusters[c].budget for c in order]
        return nearest_unpicked(inputs.centers[order], budgets, inputs.ood_z)


def nearest_unpicked(centers_CD: Float32, budgets: list[int], ood_z_MD: Embeddings) -> Int64:
    """Row numbers of `ood_z` that each centre in turn takes by highest inner product, none twice.

    Those before a centre picked no more than their budgets' sum, so that sum and its own budget bound how far down
    its list of neighbours it must look: searches of that length find exactly what scanning the whole pool would.

    Raises:
        ValueError: if the budgets are more than the pool.
    """
    bounds = np.cumsum(budgets)
    if bounds[-1] > len(ood_z_MD):
        raise ValueError(f"a budget of {bounds[-1]} is more than the {len(ood_z_MD)} images of the pool")
    free_M = np.ones(len(ood_z_MD), dtype=bool)
    picks = []
    first = 0
    while first < len(budgets):
        # As many centres at a time as the cap allows (bounds only grow), and at least one.
        fitting = np.count_nonzero(bounds[first:] * np.arange(1, len(bounds) - first + 1) <= MAX_CANDIDATES)
        last = first + max(1, int(fitting))
        _, nearest = most_similar_of_many(centers_CD[first:last], ood_z_MD, int(bounds[last - 1]))
        for neighbors, budget in zip(nearest, budgets[first:last], strict=True):
            picked = neighbors[free_M[neighbors]][:budget]
            free_M[picked] = False
            picks.append(picked)
        first = last
    return np.concatenate(picks).astype(np.int64)
