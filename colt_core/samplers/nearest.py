"""The training images nearest to OOD images: what a pick was picked near."""

from __future__ import annotations

import numpy as np

from colt_core.embeddings import BLOCK_FLOATS, Embeddings, as_float32
from colt_core.events import Float32, Int64
from colt_core.samplers.search import most_similar


def nearest_training(
    ood_z_MD: Embeddings, rows_K: Int64, id_z_ND: Float32, count: int, block_floats: int = BLOCK_FLOATS
) -> tuple[Float32, Int64]:
    """The `count` training images most similar to each of some OOD images, by an exact search.

    Args:
        ood_z_MD: (M, D) float32, or a float16 memory map of which only these rows are read.
            Embeddings are L2-normalised.
        rows_K: (K,) row numbers of `ood_z`.
        id_z_ND: (N, D) float32.
        count: k, at most N.
        block_floats: numbers of embeddings that are copied at a time.

    Returns:
        Cosines, largest first, and row numbers of `id_z`, each (K, k).
    """
    similarity_Kk, index_Kk = np.empty((len(rows_K), count), np.float32), np.empty((len(rows_K), count), np.int64)
    size = max(1, block_floats // id_z_ND.shape[1])
    for start in range(0, len(rows_K), size):
        block = slice(start, start + size)
        similarity_Kk[block], index_Kk[block] = most_similar(as_float32(ood_z_MD[rows_K[block]]), id_z_ND, count)
    return similarity_Kk, index_Kk
