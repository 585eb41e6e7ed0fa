"""A sampling round, from embeddings to picked OOD images (COLT, Bai et al. 2023)."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.embeddings import Embeddings, as_embeddings, as_pool_embeddings
from colt_core.events import Cluster, Float32, Int64, PickingStop
from colt_core.samplers.budget import budgeted_clusters
from colt_core.samplers.nearest import nearest_training
from colt_core.samplers.ood_tailness import score_ood
from colt_core.samplers.protocol import PoolMeasures, RoundInputs, Sampler


class RoundFields(TypedDict):
    """Results of a round, with the names of `colt_core.events.RoundDone`."""

    clusters: tuple[Cluster, ...]
    id_cluster: Int64
    selected: Int64
    stop: PickingStop | None
    ood_tailness: Float32
    ood_cluster: Int64
    ood_similarity: Float32
    nearest: Int64
    nearest_similarity: Float32


def sampling_round(
    id_z: Float32 | Tensor,
    ood_z: Embeddings | Tensor,
    tailness: Float32 | Tensor,
    sampler: Sampler,
    config: PretrainConfig,
    round_number: int,
    measures: PoolMeasures | None = None,
    pickable: Int64 | None = None,
) -> RoundFields:
    """Cluster ID embeddings, budget clusters by tailness, pick images and score the pool.

    Args:
        id_z: (N, D) L2-normalised embeddings of every ID training image (test transform, eval
            mode).
        ood_z: (M, D) L2-normalised embeddings of every pool image. A float16 memory map is read in
            blocks, and may be larger than memory. A sampler without a pool needs none: (0, D).
        tailness: (N,) tailness of the ID training images, from `TailnessTracker.scores()`.
        sampler: finds the clusters and picks the images.
        config: num_clusters, kmeans_restarts, seed and `config.rounds` are read. K-means has the
            same seed in every round.
        round_number: 1-based.
        measures: the result of `measure_pool`, for a sampler that `needs_measures`.
        pickable: rows of `ood_z` that may be picked. None: all. Every row is scored.

    Returns:
        The fields of a `RoundDone` event, except its place in the run and its duration.

    Raises:
        ValueError: if embeddings are not normalised or do not fit together, tailness is not finite,
            or needed measures are missing. Also for fewer ID images than clusters, a budget larger
            than the pool, or a sampler without rounds.
    """
    id_z = as_embeddings(id_z, "id_z")
    ood_z = as_pool_embeddings(ood_z, "ood_z") if config.sampler.uses_pool else id_z[:0]
    tailness = np.asarray(tailness, dtype=np.float32)
    if id_z.shape[1] != ood_z.shape[1]:
        raise ValueError(f"id_z has {id_z.shape[1]} dimensions, ood_z {ood_z.shape[1]}")
    if tailness.shape != (len(id_z),) or not np.isfinite(tailness).all():
        raise ValueError(f"tailness must be {len(id_z)} finite scores, one for each ID embedding")
    rounds = config.rounds
    offered = len(ood_z) if pickable is None else len(pickable)
    if config.sampler.uses_pool and rounds.sample_budget > offered:
        raise ValueError(f"sample_budget {rounds.sample_budget} is more than the {offered} images of the pool")

    clustering = sampler.cluster(id_z, config.num_clusters, config.kmeans_restarts, config.seed)
    clusters = budgeted_clusters(
        tailness,
        clustering.labels,
        config.num_clusters,
        rounds.sample_budget,
        rounds.cluster_temperature,
        rounds.budget_remainder,
    )
    offered_z = ood_z if pickable is None else ood_z[pickable]
    selection = sampler.selection(
        RoundInputs(
            round_number,
            config.seed,
            rounds.sample_budget,
            id_z,
            offered_z,
            clustering.centers,
            clusters,
            measures,
            clustering.labels,
        )
    )
    selected = selection.picks if pickable is None else pickable[selection.picks]
    scores = score_ood(ood_z, id_z, tailness, clustering.centers, rounds.ood_neighbors, rounds.neighbor_search)
    num_picks, count = rounds.nearest_shape(len(selected), len(id_z))
    nearest_similarity, nearest = nearest_training(ood_z, selected[:num_picks], id_z, count)
    return RoundFields(
        clusters=clusters,
        id_cluster=clustering.labels,
        selected=selected,
        stop=selection.stop,
        ood_tailness=scores.tailness,
        ood_cluster=scores.cluster,
        ood_similarity=scores.similarity,
        nearest=nearest,
        nearest_similarity=nearest_similarity,
    )
