"""Tailness of OOD images, from their nearest ID images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from colt_core.embeddings import BLOCK_FLOATS, Embeddings, as_float32, blocks
from colt_core.events import Float32, Int64
from colt_core.samplers.search import most_similar, search_in


@dataclass(frozen=True, slots=True)
class OodScores:
    """For each pool image, (M,): tailness, nearest cluster centre, cosine to that centre."""

    tailness: Float32
    cluster: Int64
    similarity: Float32


def score_ood(
    ood_z_MD: Embeddings,
    id_z_ND: Float32,
    tailness_N: Float32,
    centers_CD: Float32,
    neighbors: int,
    neighbor_search: Literal["exact", "approximate"] = "exact",
    block_floats: int = BLOCK_FLOATS,
) -> OodScores:
    """Score OOD embeddings. All embeddings are L2-normalised.

    Tailness is the mean tailness of the k nearest ID embeddings, weighted by cosine.

    Args:
        ood_z_MD: (M, D) float32, or a float16 memory map that is read in blocks.
        id_z_ND: (N, D) float32.
        tailness_N: tailness of the ID images.
        centers_CD: (C, D) cluster centres.
        neighbors: k, the number of neighbours.
        neighbor_search: see `search_in`.
        block_floats: numbers of embeddings that are converted at a time.
    """
    num_ood, search_id = len(ood_z_MD), search_in(id_z_ND, neighbor_search)
    scores = OodScores(np.empty(num_ood, np.float32), np.empty(num_ood, np.int64), np.empty(num_ood, np.float32))
    for rows in blocks(ood_z_MD, block_floats):
        chunk = as_float32(ood_z_MD[rows])
        scores.tailness[rows] = neighborhood_tailness(*search_id(chunk, neighbors), tailness_N)
        similarity, cluster = most_similar(chunk, centers_CD, 1)
        scores.similarity[rows], scores.cluster[rows] = similarity[:, 0], cluster[:, 0]
    return scores


def neighborhood_tailness(similarity_Qk: Float32, index_Qk: Int64, tailness_N: Float32) -> Float32:
    """(Q,) mean tailness of each row's neighbours, weighted by similarity.

    A neighbour at a negative cosine has weight 0, which keeps the score in the range of the
    neighbours' tailness. If all cosines are negative, all weights are equal.
    """
    weights_Qk = np.maximum(similarity_Qk, 0)
    weights_Qk[~weights_Qk.any(axis=1)] = 1
    return np.average(tailness_N[index_Qk], axis=1, weights=weights_Qk).astype(np.float32)
