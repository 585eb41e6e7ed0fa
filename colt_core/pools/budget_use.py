"""What COLT would do with a budget, by its own clusters, budgets and picks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from colt_core.embeddings import Embeddings, as_float32
from colt_core.events import Float32, Int64
from colt_core.pools.kinds import BudgetUse, ClusterUse
from colt_core.pools.nearness import Nearness
from colt_core.pools.pixels import Bool
from colt_core.samplers.budget import budgeted_clusters
from colt_core.samplers.clustering import Clustering
from colt_core.samplers.colt import nearest_unpicked


def budget_use(
    near: Nearness,
    clustering: Clustering,
    train_z_ND: Float32,
    pool_z_MD: Embeddings,
    labels_N: Int64,
    few: Sequence[int],
    budget: int,
    tailness_N: Float32 | None,
    temperature: float,
    in_distribution_M: Bool,
    duplicate_M: Bool,
) -> BudgetUse:
    """The expected use of K images in one sampling round.

    Args:
        near: what `nearness` found.
        clustering: of the training images.
        train_z_ND, pool_z_MD: L2-normalised embeddings.
        labels_N: classes of the training images.
        few: the classes of the tail.
        budget: K, at most M.
        tailness_N: scores of the training images. None: the rarer its class, the more tail-like an
            image: minus the logarithm of the size of its class.
        temperature: of the clusters' weights.
        in_distribution_M: which pool images look in-distribution.
        duplicate_M: which pool images nearly equal an image of the data set.
    """
    tailness_from = "class_sizes" if tailness_N is None else "checkpoint"
    scores_N = -np.log(np.bincount(labels_N)[labels_N]).astype(np.float32) if tailness_N is None else tailness_N
    clusters = budgeted_clusters(scores_N, clustering.labels, len(clustering.centers), budget, temperature)
    picking = [c for c, cluster in enumerate(clusters) if cluster.budget]
    budgets = [clusters[c].budget for c in picking]
    picked_K = nearest_unpicked(clustering.centers[picking], budgets, pool_z_MD)
    by_cluster_K = np.repeat(picking, budgets)
    similarity_K = _cosines(as_float32(pool_z_MD[picked_K]), clustering.centers[by_cluster_K])
    own_N = _cosines(train_z_ND, clustering.centers[clustering.labels])
    is_few_N = np.isin(labels_N, list(few))
    near_tail_K = in_distribution_M[picked_K] & is_few_N[near.neighbors[picked_K]].any(axis=1)
    return BudgetUse(
        budget=budget,
        tailness_from=tailness_from,
        clusters=[
            ClusterUse(
                size=cluster.size,
                tailness=cluster.tailness,
                few_share=mean_or_none(is_few_N[clustering.labels == c]),
                budget=cluster.budget,
                own_similarity=mean_or_none(own_N[clustering.labels == c]),
                pick_similarity=mean_or_none(similarity_K[by_cluster_K == c]),
            )
            for c, cluster in enumerate(clusters)
        ],
        near_no_class=int((~in_distribution_M[picked_K]).sum()),
        near_no_tail_class=int((~near_tail_K).sum()),
        near_duplicates=int(duplicate_M[picked_K].sum()),
    )


def mean_or_none(values: Bool | Float32) -> float | None:
    """The mean; None of no values."""
    return float(values.mean()) if len(values) else None


def _cosines(a_ND: Float32, b_ND: Float32) -> Float32:
    cosines_N: Float32 = np.einsum("nd,nd->n", a_ND, b_ND)
    return cosines_N
