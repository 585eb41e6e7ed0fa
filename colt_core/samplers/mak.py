"""MAK (Jiang et al., NeurIPS 2021).

It picks pool images that are hard for the model, close to the ID set and unlike each other.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.config import PretrainConfig
from colt_core.events import Float32, Int64
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.kinds import MakSettings
from colt_core.samplers.protocol import PoolMeasures, RoundInputs, Sampler
from colt_core.samplers.search import most_similar

Float64 = NDArray[np.float64]


class MakSampler(Sampler):
    """Takes candidates by score, then picks those farthest from the ID images and each other.

    The score is w Z(E) - (1 - w) Z(D), where Z is the z-score over the pool. E is a pool image's
    loss (`PoolMeasures.ood_loss`). D is 1 - its largest cosine to the k-means centres of the ID
    set's backbone features.

    Args:
        loss_weight: w, 0..1.
        candidates: number of candidates, as a multiple of the budget, at least 1. A smaller pool is
            taken whole.
        num_clusters, kmeans_restarts: for clustering the ID features; see `cluster_embeddings`.
    """

    needs_measures = True

    def __init__(
        self, loss_weight: float = 0.5, candidates: float = 1.5, num_clusters: int = 10, kmeans_restarts: int = 10
    ) -> None:
        if not 0 <= loss_weight <= 1:
            raise ValueError(f"loss_weight must be in 0..1, not {loss_weight}")
        if not candidates >= 1:
            raise ValueError(f"candidates must be at least 1, not {candidates}")
        self.loss_weight = loss_weight
        self.candidates = candidates
        self.num_clusters = num_clusters
        self.kmeans_restarts = kmeans_restarts

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        settings = config.sampler
        assert isinstance(settings, MakSettings)
        return cls(settings.mak_loss_weight, settings.mak_candidates, config.num_clusters, config.kmeans_restarts)

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices, farthest first. Among equals, the first in the pool.

        Raises:
            ValueError: if the measures are missing, do not match the embeddings' sizes, or are not
                finite.
        """
        measures = _checked(inputs)
        centers = cluster_embeddings(measures.id_features, self.num_clusters, self.kmeans_restarts, inputs.seed).centers
        similarity_M1, _ = most_similar(measures.ood_features, centers, 1)
        return self.pick(measures, 1 - similarity_M1[:, 0], inputs.budget)

    def pick(self, measures: PoolMeasures, distance_M: Float32, budget: int) -> Int64:
        """(K,) pool indices, given D of each pool image."""
        # Rounded down as in the released code; 1.15 * 100 may be computed as 114.99999999999999.
        num_candidates = min(len(distance_M), math.floor(self.candidates * budget * (1 + 1e-12)))
        scores_M = self.loss_weight * z_score(measures.ood_loss) - (1 - self.loss_weight) * z_score(distance_M)
        candidates = np.sort(np.argsort(-scores_M, kind="stable")[:num_candidates])
        return candidates[farthest_first(measures.ood_features[candidates], measures.id_features, budget)]


def z_score(values_M: Float32) -> Float64:
    """(value - mean) / population standard deviation. All 0 if values differ only by rounding."""
    centered_M = values_M - values_M.mean(dtype=np.float64)
    deviation = centered_M.std()
    rounding = np.finfo(np.float32).eps * np.abs(values_M).max()
    return centered_M / deviation if deviation > rounding else np.zeros_like(centered_M)


def farthest_first(features_QF: Float32, others_NF: Float32, count: int) -> Int64:
    """Row numbers in the order picked, by k-center greedy.

    Each pick is the row that is least similar to its most similar row of `others` and earlier
    picks. Similarity is the inner product. A vector holds each row's largest similarity so far. A
    pick then costs one matrix-vector product, and no matrix of pairs is needed.
    """
    features = torch.from_numpy(features_QF)
    nearest_Q = torch.from_numpy(most_similar(features_QF, others_NF, 1)[0]).squeeze(1)
    picks = np.empty(count, dtype=np.int64)
    for n in range(count):
        picks[n] = pick = int(nearest_Q.argmin())  # the first among equals
        torch.maximum(nearest_Q, features @ features[pick], out=nearest_Q)
        nearest_Q[pick] = torch.inf
    return picks


def _checked(inputs: RoundInputs) -> PoolMeasures:
    measures = inputs.measures
    if measures is None:
        raise ValueError("MakSampler needs the round's measures: make them with measure_pool")
    dim = measures.id_features.shape[-1]
    for name, shape in (
        ("id_features", (len(inputs.id_z), dim)),
        ("ood_features", (len(inputs.ood_z), dim)),
        ("ood_loss", (len(inputs.ood_z),)),
    ):
        array = getattr(measures, name)
        if array.shape != shape:
            raise ValueError(f"{name} must be of shape {shape}, not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
    return measures
