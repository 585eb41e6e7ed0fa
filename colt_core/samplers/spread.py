"""A sampler for clusters that follow the extent of the ID data, which stops when the pool runs dry.

Regions are after hierarchical k-means curation (Vo et al., TMLR 2024). The stop is after SimCore
(Kim et al., CVPR 2023), which takes pool images only as long as they are similar to the ID images.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings
from colt_core.events import Float32, Int64, PickingStop
from colt_core.samplers.clustering import Clustering, cluster_embeddings
from colt_core.samplers.kinds import SpreadSettings
from colt_core.samplers.protocol import RoundInputs, Sampler, Selection
from colt_core.samplers.search import most_similar_of_many

TURNS = 10  # of choosing points and clustering them
REFERENCE_BLOCK = 20  # the block of C picks whose similarity the stop rule compares with
MAX_CANDIDATES = 2**20  # similarities and indices in memory at a time: 12 MiB


class SpreadSampler(Sampler):
    """Fills the clusters' budgets side by side, until picks are less similar than early ones.

    Args:
        points: n, points nearest to its centre that a cluster is made of.
        stop: a block of C picks with a mean similarity below this share of that of the 20th block
            is the last. 0 never stops.
    """

    def __init__(self, points: int = 15, stop: float = 0.95) -> None:
        if points < 1:
            raise ValueError(f"points must be at least 1, not {points}")
        if not 0 <= stop <= 1:
            raise ValueError(f"stop must be in 0..1, not {stop}")
        self.points = points
        self.stop = stop

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        settings = config.sampler
        assert isinstance(settings, SpreadSettings)
        return cls(settings.spread_points, settings.spread_stop)

    def cluster(self, id_z: Float32, num_clusters: int, restarts: int, seed: int) -> Clustering:
        """K-means, then ten times k-means on the n points nearest to each centre, for all points.

        So a dense region does not count more than a thin one.
        """
        clustering = cluster_embeddings(id_z, num_clusters, restarts, seed)
        for _ in range(TURNS):
            rows = nearest_members(id_z, clustering, self.points)
            if len(rows) < num_clusters:  # too few distinct embeddings
                break
            clustering = cluster_embeddings(id_z, num_clusters, restarts, seed, fitted_on=rows)
        return clustering

    def select(self, inputs: RoundInputs) -> Int64:
        """Distinct pool indices in the order picked, K or less."""
        return self.selection(inputs).picks

    def selection(self, inputs: RoundInputs) -> Selection:
        """The picks, and the similarities that the round stopped at.

        Raises:
            ValueError: if the budget is more than the pool.
        """
        budgets_C = np.array([cluster.budget for cluster in inputs.clusters])
        if budgets_C.sum() > len(inputs.ood_z):
            raise ValueError(f"a budget of {budgets_C.sum()} is more than the {len(inputs.ood_z)} images of the pool")
        queues = _queues(inputs.centers, budgets_C, inputs.ood_z)
        free_M = np.ones(len(inputs.ood_z), dtype=bool)
        picks, similarities = [], []
        size = len(budgets_C)
        for cluster in by_deficit(budgets_C):
            similarity, pick = queues[cluster].next_free(free_M)
            free_M[pick] = False
            picks.append(pick)
            similarities.append(similarity)
            if len(picks) % size == 0 and len(picks) > REFERENCE_BLOCK * size and len(picks) < budgets_C.sum():
                block = slice((REFERENCE_BLOCK - 1) * size, REFERENCE_BLOCK * size)
                last, reference = float(np.mean(similarities[-size:])), float(np.mean(similarities[block]))
                # Below a share of it; also where similarities are negative.
                if self.stop and last < reference - (1 - self.stop) * abs(reference):
                    return Selection(np.array(picks), PickingStop(last, reference, self.stop))
        return Selection(np.array(picks))


def nearest_members(z_ND: Float32, clustering: Clustering, count: int) -> Int64:
    """Ascending row numbers of the `count` members of each cluster nearest to its centre."""
    labels_N = clustering.labels
    similarity_N = np.einsum("nd,nd->n", z_ND, clustering.centers[labels_N])
    order_N = np.lexsort((-similarity_N, labels_N))
    sizes_C = np.bincount(labels_N, minlength=len(clustering.centers))
    place_N = np.arange(len(labels_N)) - (np.cumsum(sizes_C) - sizes_C)[labels_N[order_N]]
    rows: Int64 = np.sort(order_N[place_N < count])
    return rows


def by_deficit(budgets_C: Int64) -> Int64:
    """(K,) the cluster of each pick: the one that lags most behind its share.

    The n-th pick, from 0, is that of the largest K_c (n + 1) / K - taken_c, of equal ones the
    first. In the end every cluster has taken its budget.
    """
    total = int(budgets_C.sum())
    taken_C = np.zeros(len(budgets_C), dtype=np.int64)
    order_K = np.empty(total, dtype=np.int64)
    for n in range(total):  # in whole numbers, K times the deficit
        order_K[n] = cluster = int(np.argmax(budgets_C * (n + 1) - taken_C * total))
        taken_C[cluster] += 1
    return order_K


class _Nearest:
    """The pool's images from the one nearest to a centre on. It searches as far as it is asked."""

    def __init__(self, center_D: Float32, ood_z_MD: Embeddings, similarity_k: Float32, index_k: Int64) -> None:
        self._center_D = center_D
        self._ood_z_MD = ood_z_MD
        self._similarity_k, self._index_k = similarity_k, index_k  # the k nearest, found so far
        self._next = 0

    def next_free(self, free_M: NDArray[np.bool_]) -> tuple[float, int]:
        """Similarity and row number of the nearest free image. There must be one."""
        while True:
            while self._next < len(self._index_k):
                place, self._next = self._next, self._next + 1
                if free_M[self._index_k[place]]:
                    return float(self._similarity_k[place]), int(self._index_k[place])
            longer = min(len(self._ood_z_MD), max(64, 2 * len(self._index_k)))
            (self._similarity_k,), (self._index_k,) = most_similar_of_many(
                self._center_D[np.newaxis], self._ood_z_MD, longer
            )


def _queues(centers_CD: Float32, budgets_C: Int64, ood_z_MD: Embeddings) -> dict[int, _Nearest]:
    """One for each cluster with a budget, after a first pass through the pool for all of them."""
    granted = np.flatnonzero(budgets_C)
    depth = max(1, min(2 * int(budgets_C.max()), MAX_CANDIDATES // len(granted)))
    found = zip(granted.tolist(), *most_similar_of_many(centers_CD[granted], ood_z_MD, depth), strict=True)
    return {cluster: _Nearest(centers_CD[cluster], ood_z_MD, *nearest) for cluster, *nearest in found}
