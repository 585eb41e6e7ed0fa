"""K-means of the ID embeddings: regions of the feature space that are more or less tail-like."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch  # before faiss, see search.py

import faiss  # isort: skip

from colt_core.events import Float32, Int64
from colt_core.seeding import generator


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clusters, some of which may be empty.

    Attributes:
        centers: (C, D) L2-normalised centres.
        labels: (N,) the cluster of each embedding.
    """

    centers: Float32
    labels: Int64


def cluster_embeddings(
    z_ND: Float32, num_clusters: int, restarts: int = 10, seed: int = 0, fitted_on: Int64 | None = None
) -> Clustering:
    """Euclidean k-means on L2-normalised embeddings: the best of several restarts, seeded.

    Members are assigned by the mean itself, as the released code does with scikit-learn. The
    centres are L2-normalised afterwards, for cosines. With fewer distinct embeddings than clusters,
    some clusters stay empty.

    Args:
        fitted_on: row numbers of the embeddings that k-means sees. None: all. The others are
            assigned to the means that it finds.

    Raises:
        ValueError: if there are fewer embeddings to fit than clusters, or less than one cluster or
            restart.
    """
    fitted = z_ND if fitted_on is None else z_ND[fitted_on]
    num_samples = len(fitted)
    if not 1 <= num_clusters <= num_samples:
        raise ValueError(f"num_clusters must be in 1..{num_samples}, the number of embeddings, not {num_clusters}")
    if restarts < 1:
        raise ValueError(f"restarts must be at least 1, not {restarts}")
    threads = torch.get_num_threads()
    restart = partial(_restart, fitted, num_clusters, seed, threads if restarts == 1 else 1)
    with ThreadPoolExecutor(min(threads, restarts)) as pool:
        best = min(pool.map(restart, range(restarts)), key=lambda kmeans: kmeans.obj[-1])  # type: ignore[index]  # the first if several are equal
    faiss.omp_set_num_threads(threads)
    _, labels = best.assign(z_ND)
    # A cluster whose members cancel out has no direction. Its centre stays 0, with cosine 0 to
    # everything.
    means = np.asarray(best.centroids, dtype=np.float32)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    centers = means / np.maximum(lengths, np.finfo(np.float32).tiny)
    return Clustering(centers, labels.astype(np.int64))


def _restart(z_ND: Float32, num_clusters: int, seed: int, threads: int, number: int) -> faiss.Kmeans:
    """The n-th restart (from 0). Its first centres are randomly drawn embeddings.

    With ten centres the matrix products are too narrow for two threads, which are slower than one.
    Parallel restarts take a third of the time.
    """
    num_samples, dim = z_ND.shape
    faiss.omp_set_num_threads(threads)  # for this Python thread
    drawn = torch.randperm(num_samples, generator=generator(seed, "k-means", number))[:num_clusters].numpy()
    # By default faiss trains on 256 embeddings a cluster, and warns below 39.
    kmeans = faiss.Kmeans(dim, num_clusters, max_points_per_centroid=num_samples, min_points_per_centroid=1)
    kmeans.train(z_ND, init_centroids=z_ND[drawn])
    return kmeans
