"""Rank 0 computes a sampling round and broadcasts it.

Clustering need not give the same bits in every process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from colt_core.config import PretrainConfig
from colt_core.distributed.ranks import Ranks
from colt_core.events import Cluster, Int64, PickingStop
from colt_core.samplers.round import RoundFields


def broadcast_round(
    find: Callable[[], RoundFields], ranks: Ranks, config: PretrainConfig, num_train: int, num_pool: int
) -> RoundFields:
    """The result of `find()` on rank 0, on every rank.

    Args:
        find: called only on rank 0.
        config: num_clusters is read; it is a size of the result.
        num_train, num_pool: N and M, the numbers of ID and OOD images. M is 0 without a pool.
    """
    if ranks.size == 1:
        return find()
    if ranks.rank == 0:
        found = find()
        clusters_C4 = np.array([(c.size, c.tailness, c.weight, c.budget) for c in found["clusters"]], dtype=np.float64)
    else:
        found = RoundFields(
            clusters=(),
            id_cluster=np.empty(num_train, dtype=np.int64),
            selected=np.empty(0, dtype=np.int64),
            stop=None,
            ood_tailness=np.empty(num_pool, dtype=np.float32),
            ood_cluster=np.empty(num_pool, dtype=np.int64),
            ood_similarity=np.empty(num_pool, dtype=np.float32),
            nearest=np.empty((0, 0), dtype=np.int64),
            nearest_similarity=np.empty((0, 0), dtype=np.float32),
        )
        clusters_C4 = np.empty((config.num_clusters, 4), dtype=np.float64)
    _broadcast(clusters_C4)
    stop = found["stop"]
    picked_4 = np.array([len(found["selected"]), *((math.nan,) * 3 if stop is None else astuple(stop))])
    _broadcast(picked_4)
    if ranks.rank > 0:
        found["selected"] = np.empty(int(picked_4[0]), dtype=np.int64)
        shape = config.rounds.nearest_shape(len(found["selected"]), num_train)
        found["nearest"], found["nearest_similarity"] = np.empty(shape, np.int64), np.empty(shape, np.float32)
        found["stop"] = None if math.isnan(picked_4[1]) else PickingStop(*picked_4[1:].tolist())
    for name in ("id_cluster", "ood_tailness", "ood_cluster", "ood_similarity"):
        _broadcast(found[name])
    for picked in ("selected", "nearest", "nearest_similarity"):
        _broadcast(found[picked])
    found["clusters"] = tuple(
        Cluster(int(size), float(tailness) if size else None, float(weight), int(budget))
        for size, tailness, weight, budget in clusters_C4
    )
    return found


def broadcast_indices(choose: Callable[[], Int64], count: int, ranks: Ranks) -> Int64:
    """The `count` indices that `choose()` returns on rank 0, on every rank."""
    if ranks.size == 1:
        return choose()
    chosen = choose() if ranks.rank == 0 else np.empty(count, dtype=np.int64)
    _broadcast(chosen)
    return chosen


def _broadcast(array: NDArray[np.generic]) -> None:
    """Overwrite the array with rank 0's. On other ranks it must be contiguous."""
    if array.size == 0:  # the same on every rank: without a pool
        return
    dist.broadcast(torch.from_numpy(np.ascontiguousarray(array)), src=0)
