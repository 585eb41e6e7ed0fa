"""K-means of the ID embeddings: regions of the feature space, to be told head from tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch  # before faiss, see search.py

import faiss  # isort: skip

from colt_core.events import Float32, Int64

MAX_SEED = 2**31 - 1  # faiss keeps its seed in a C int


@dataclass(frozen=True, slots=True)
class Clustering:
    """`centers` (C, D) are L2-normalised; `labels` (N,) name each embedding's cluster; a cluster may be empty."""

    centers: Float32
    labels: Int64


def cluster_embeddings(z_ND: Float32, num_clusters: int, restarts: int = 10, seed: int = 0) -> Clustering:
    """Plain Euclidean k-means on L2-normalised embeddings; the best of some restarts, the same for the same seed.

    Members are assigned by the mean itself (as the released code does with scikit-learn); the centres are L2-normalised
    afterwards, for cosines. With fewer distinct embeddings than clusters some clusters stay empty.

    Raises:
        ValueError: if there are fewer embeddings than clusters, or less than one cluster or restart.
    """
    num_samples, dim = z_ND.shape
    if not 1 <= num_clusters <= num_samples:
        raise ValueError(f"num_clusters must be in 1..{num_samples}, the number of embeddings, not {num_clusters}")
    if restarts < 1:
        raise ValueError(f"restarts must be at least 1, not {restarts}")
    faiss.omp_set_num_threads(torch.get_num_threads())
    kmeans = faiss.Kmeans(
        dim,
        num_clusters,
        nredo=restarts,
        seed=seed % MAX_SEED,
        # faiss would train on 256 embeddings a cluster, and warn below 39.
        max_points_per_centroid=num_samples,
        min_points_per_centroid=1,
    )
    kmeans.train(z_ND)
    _, labels = kmeans.assign(z_ND)
    # A cluster whose members cancel out has no direction: its centre stays 0, at cosine 0 to everything.
    means = np.asarray(kmeans.centroids, dtype=np.float32)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    centers = means / np.maximum(lengths, np.finfo(np.float32).tiny)
    return Clustering(centers, labels.astype(np.int64))
