"""Search by inner product with faiss."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Literal

import numpy as np
import torch  # before faiss: the first to load brings the OpenMP runtime, and torch needs its own

import faiss  # isort: skip

from colt_core.embeddings import BLOCK_FLOATS, Embeddings, as_float32, blocks
from colt_core.events import Float32, Int64

Search = Callable[[Float32, int], tuple[Float32, Int64]]  # queries (Q, D) and k -> similarities, row numbers, (Q, k)

_APPROXIMATE_FROM = 4096  # rows; with fewer, the exact search is fast and cells would be too small


def most_similar(queries_QD: Float32, base_MD: Float32, k: int) -> tuple[Float32, Int64]:
    """The k rows of the base with the largest inner products with each query, largest first.

    The base is not copied. Besides the result, memory grows with neither Q nor M.

    Returns:
        Similarities and row numbers, each (Q, min(k, M)).
    """
    faiss.omp_set_num_threads(torch.get_num_threads())
    similarity, index = faiss.knn(queries_QD, base_MD, min(k, len(base_MD)), metric=faiss.METRIC_INNER_PRODUCT)
    return similarity, index


def most_similar_of_many(
    queries_QD: Float32, base_MD: Embeddings, k: int, block_floats: int = BLOCK_FLOATS
) -> tuple[Float32, Int64]:
    """`most_similar` for a few queries and a base that may be a half-precision memory map.

    Such a base is read once, in blocks. A query keeps rows above the k-th best of earlier blocks,
    which soon are very few. Among equal similarities, other rows may be kept than by
    `most_similar`.
    """
    if base_MD.dtype == np.float32:
        return most_similar(queries_QD, base_MD, k)
    k = min(k, len(base_MD))
    queries_DQ = torch.from_numpy(queries_QD).T
    best = [(torch.empty(0), torch.empty(0, dtype=torch.int64)) for _ in queries_QD]
    bars = torch.full((len(queries_QD),), -torch.inf)
    for rows_of_block in blocks(base_MD, block_floats):
        similarity_QR = (torch.from_numpy(as_float32(base_MD[rows_of_block])) @ queries_DQ).T.contiguous()
        for query in (similarity_QR.amax(dim=1) > bars).nonzero().flatten().tolist():
            above = (similarity_QR[query] > bars[query]).nonzero().flatten()
            kept, rows = best[query]
            kept, rows = torch.cat([kept, similarity_QR[query, above]]), torch.cat([rows, above + rows_of_block.start])
            if len(kept) >= 2 * k:
                kept, order = kept.topk(k)
                rows, bars[query] = rows[order], kept[-1]
            best[query] = kept, rows
    ordered = [(*kept.topk(k), rows) for kept, rows in best]
    similarity = torch.stack([values for values, _, _ in ordered])
    index = torch.stack([rows[order] for _, order, rows in ordered])
    return similarity.numpy(), index.numpy()


def search_in(base_ND: Float32, kind: Literal["exact", "approximate"] = "exact") -> Search:
    """A function that searches the same rows for many queries.

    The approximate search splits the base by k-means into sqrt(N) cells. For each query it looks
    only at the nearest eighth of them. Measured with 50,000 queries among 11,165 CIFAR-10-LT
    images, it found 96 % of the 20 nearest in half the time. The queries' tailness correlated with
    the exact one by 0.998.
    """
    if kind == "exact" or len(base_ND) < _APPROXIMATE_FROM:
        return lambda queries_QD, k: most_similar(queries_QD, base_ND, k)
    faiss.omp_set_num_threads(torch.get_num_threads())
    cells = isqrt(len(base_ND))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(base_ND.shape[1]), base_ND.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # the default warns below 39
    index.train(base_ND)
    index.add(base_ND)
    index.nprobe = -(-cells // 8)

    def search(queries_QD: Float32, k: int) -> tuple[Float32, Int64]:
        faiss.omp_set_num_threads(torch.get_num_threads())
        similarity_Qk, index_Qk = index.search(queries_QD, min(k, len(base_ND)))
        short = np.flatnonzero(index_Qk[:, -1] < 0)  # these cells hold fewer than k rows
        if short.size:
            similarity_Qk[short], index_Qk[short] = most_similar(queries_QD[short], base_ND, k)
        return similarity_Qk, index_Qk

    return search
