"""`pool_refresh: candidates`: which pool images a round embeds anew, and what is known of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks
from colt_core.distributed.round import first_chooses
from colt_core.events import Float32, Int64
from colt_core.samplers import RoundFields
from colt_core.samplers.colt import nearest_unpicked
from colt_core.seeding import generator

CANDIDATES = 1.5
REFRESH_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class KnownPool:
    """What a run keeps of its M pool images from one round to the next.

    An image's scores are those of the last round that embedded it.
    """

    candidates: Int64  # pool indices, ascending, that the next round embeds in any case
    tailness: Float32  # (M,)
    cluster: Int64  # (M,) as that round numbered them
    similarity: Float32  # (M,)

    @classmethod
    def after(cls, found: RoundFields, candidates: Int64) -> Self:
        """What a round leaves behind; it found scores for the whole pool, and these candidates for the next one."""
        return cls(np.sort(candidates), found["ood_tailness"], found["ood_cluster"], found["ood_similarity"])

    def state_dict(self) -> dict[str, Any]:
        """A copy, of tensors only."""
        return {name: torch.from_numpy(getattr(self, name).copy()) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `state_dict` made."""
        return cls(**{name: state[name].numpy().copy() for name in cls.__slots__})


def images_to_embed(known: KnownPool, config: PretrainConfig, round_number: int) -> Int64:
    """Pool indices, ascending: the candidates, and this round's share of the pool.

    The shares are those of a permutation, a function of the seed; an image's turn comes every REFRESH_ROUNDS rounds.
    """
    order = torch.randperm(len(known.tailness), generator=generator(config.seed, "pool refresh")).numpy()
    shares = np.array_split(order, REFRESH_ROUNDS)
    return np.union1d(known.candidates, shares[round_number % REFRESH_ROUNDS])


def next_candidates(found: RoundFields, id_z: Float32, ood_z: Any, ranks: Ranks) -> Int64:
    """What the round would pick of its embedded images with CANDIDATES times every cluster's budget.

    Args:
        found: the round; only its clusters are read.
        id_z: (N, D) of the ID images.
        ood_z: (m, D) of the images that the round embedded; of rank 0 alone.

    Returns:
        Row numbers of `ood_z`, the same on every rank.
    """
    clusters, labels_N = found["clusters"], found["id_cluster"]
    centers_CD = np.stack([id_z[labels_N == c].sum(axis=0) for c in range(len(clusters))])
    centers_CD /= np.maximum(np.linalg.norm(centers_CD, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    budgets = [int(CANDIDATES * cluster.budget) for cluster in clusters]
    granted = [c for c, budget in enumerate(budgets) if budget]
    budgets = [budgets[c] for c in granted]
    return first_chooses(lambda: nearest_unpicked(centers_CD[granted], budgets, ood_z), sum(budgets), ranks)


def with_the_others(known: KnownPool | None, index_m: Int64 | None, found: RoundFields) -> RoundFields:
    """A round of the images `index_m` alone, as one of the pool: scores among the known ones, picks by pool index."""
    if known is None or index_m is None:
        return found
    tailness_M, cluster_M, similarity_M = known.tailness.copy(), known.cluster.copy(), known.similarity.copy()
    tailness_M[index_m] = found["ood_tailness"]
    cluster_M[index_m] = found["ood_cluster"]
    similarity_M[index_m] = found["ood_similarity"]
    return RoundFields(
        clusters=found["clusters"],
        id_cluster=found["id_cluster"],
        selected=index_m[found["selected"]],
        ood_tailness=tailness_M,
        ood_cluster=cluster_M,
        ood_similarity=similarity_M,
    )
