"""Exact search by inner product, the one place that calls faiss to compare embeddings."""

from __future__ import annotations

import numpy as np
import torch  # before faiss: whichever loads first brings the OpenMP runtime, and torch must have its own
from torch import Tensor

import faiss  # isort: skip

from colt_core.events import Float32, Int64


def most_similar(queries_QD: Float32, base_MD: Float32, k: int) -> tuple[Float32, Int64]:
    """The k rows of the base with the largest inner product to each query, most similar first.

    The base is read where it lies: beside the answer, memory grows with neither Q nor M.

    Returns:
        Similarities and row numbers, each (Q, min(k, M)).
    """
    faiss.omp_set_num_threads(torch.get_num_threads())
    similarity, index = faiss.knn(queries_QD, base_MD, min(k, len(base_MD)), metric=faiss.METRIC_INNER_PRODUCT)
    return similarity, index


def as_embeddings(z: Float32 | Tensor, name: str) -> Float32:
    """(N, D) embeddings as a C-contiguous float32 array on the host; no copy of what is one already.

    Raises:
        ValueError: naming the argument, if it is no matrix, has no row, or a row's length is not 1 (within 1 %).
    """
    array = z.detach().cpu().float().numpy() if isinstance(z, Tensor) else z
    array = np.ascontiguousarray(array, dtype=np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be a non-empty matrix of embeddings, not of shape {array.shape}")
    squares = np.einsum("nd,nd->n", array, array)
    bad = np.flatnonzero(~(np.abs(squares - 1) < 0.02))  # a NaN is bad too
    if bad.size:
        raise ValueError(f"{name} must be L2-normalised: row {bad[0]} has length {squares[bad[0]] ** 0.5:.6g}")
    return array
