"""How near a pool and a data set are to each other, by cosine of their embeddings.

The measure is relative. A pool image reaches a training image if it is at least as similar as the
fifth nearest other training image. So the scale comes from the data, whatever the encoder.

The share that a pool reaches is the "coverage" of Naeem et al., with their default of five. See
"Reliable fidelity and diversity metrics for generative models", ICML 2020. An encoder maps images
of a kind that it has never seen, such as noise, to a few places. These may be near some training
images, but they are not near many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colt_core.embeddings import Embeddings, as_float32, blocks
from colt_core.events import Float32, Int64
from colt_core.samplers.search import most_similar

Bool = NDArray[np.bool_]

NEIGHBORS = 5
ROUNDING = 1e-5  # cosines of equal images may differ by this


@dataclass(frozen=True, slots=True)
class Nearness:
    """Similarities of N training images and M pool images.

    Attributes:
        to_fifth: (N,) cosine of each training image and its fifth nearest other one.
        to_next: (N,) cosine of each training image and its nearest other one.
        to_pool: (N,) cosine of each training image and the nearest pool image.
        pool_to_fifth: (M,) cosine of each pool image and its fifth nearest training image.
        neighbors: (M, 5) the nearest training images of each pool image, nearest first.
    """

    to_fifth: Float32
    to_next: Float32
    to_pool: Float32
    pool_to_fifth: Float32
    neighbors: Int64

    @property
    def reached(self) -> Bool:
        """(N,) whether a pool image is as near as the fifth nearest other training image."""
        reached_N: Bool = self.to_pool >= self.to_fifth - ROUNDING
        return reached_N

    @property
    def within(self) -> Bool:
        """(M,) whether a pool image is within the data.

        Its fifth nearest training image is at least as similar as for 95 % of the training images.
        See Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022.
        """
        within_M: Bool = self.pool_to_fifth >= np.quantile(self.to_fifth, 0.05) - ROUNDING
        return within_M


def nearness(train_z_ND: Float32, pool_z_MD: Embeddings) -> Nearness:
    """Compare L2-normalised embeddings.

    Args:
        train_z_ND: of the training images, at least two.
        pool_z_MD: of the pool. A float16 memory map is read in blocks.

    Raises:
        ValueError: for fewer than two training images.
    """
    num_train, num_pool = len(train_z_ND), len(pool_z_MD)
    if num_train < 2:
        raise ValueError("a pool can be compared with two training images or more, and there is only one")
    count = min(NEIGHBORS, num_train - 1)
    # An image is the nearest one to itself.
    similarity_Nk, _ = most_similar(train_z_ND, train_z_ND, count + 1)
    to_pool_N = np.full(num_train, -np.inf, dtype=np.float32)
    to_fifth_M = np.empty(num_pool, dtype=np.float32)
    neighbors_Mk = np.empty((num_pool, count), dtype=np.int64)
    for rows in blocks(pool_z_MD):
        chunk = as_float32(pool_z_MD[rows])
        similarity, neighbors_Mk[rows] = most_similar(chunk, train_z_ND, count)
        to_fifth_M[rows] = similarity[:, -1]
        np.maximum(to_pool_N, most_similar(train_z_ND, chunk, 1)[0][:, 0], out=to_pool_N)
    return Nearness(similarity_Nk[:, -1], similarity_Nk[:, 1], to_pool_N, to_fifth_M, neighbors_Mk)


def expected_reach(num_train: int, num_pool: int) -> float:
    """Share of training images that a pool of the data's own kind is expected to reach.

    Let the other training images and the pool be in random order by similarity. The nearest five
    are all training images with about the probability (N / (N + M))^5 (Naeem et al. 2020).
    """
    return 1.0 - (num_train / (num_train + num_pool)) ** min(NEIGHBORS, num_train - 1)


def nearest_of_own_class(z_ND: Float32, labels_N: Int64) -> Float32:
    """(N,) cosine of each image and the nearest other one of its class; NaN if there is none."""
    nearest_N = np.full(len(z_ND), np.nan, dtype=np.float32)
    for c in np.unique(labels_N):
        members = np.flatnonzero(labels_N == c)
        if len(members) > 1:
            nearest_N[members] = most_similar(z_ND[members], z_ND[members], 2)[0][:, 1]
    return nearest_N
