"""Pool images that nearly equal an image of the data set: found by features, confirmed on pixels.

A re-encoded, resized or mirrored copy has other bytes, so that digests do not find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from colt_core.data.dataset import PARTS, ImageDataset, ImagePool
from colt_core.embeddings import Embeddings, as_float32, blocks
from colt_core.events import Float32, Int64
from colt_core.pools.kinds import NearDuplicate, NearDuplicates, Part
from colt_core.pools.nearness import ROUNDING
from colt_core.pools.pixels import Bool, differences, pixel_blocks, roughness
from colt_core.samplers.search import most_similar

MAX_EXAMPLES = 12
_CANDIDATES = 3  # nearest images of the data set that are compared on pixels
_SAMPLE = 2000  # training images from which the limit is taken


@dataclass(frozen=True, slots=True)
class Duplicates:
    """For each pool image, (M,): whether it nearly equals an image of the data set, and which."""

    found: Bool
    index: Int64
    similarity: Float32
    difference: Float32

    def summary(self, dataset: ImageDataset) -> NearDuplicates:
        """Counts by part, and examples."""
        part_N = _parts(dataset)
        pool_D = np.flatnonzero(self.found)
        part_D, exact_D = part_N[self.index[pool_D]], self.difference[pool_D] == 0
        first = np.lexsort((self.difference[pool_D], part_D != PARTS.index("test")))[:MAX_EXAMPLES]
        return NearDuplicates(
            count=len(pool_D),
            by_part={name: int((part_D == number).sum()) for number, name in enumerate(PARTS)},
            exact_by_part={name: int((exact_D & (part_D == number)).sum()) for number, name in enumerate(PARTS)},
            examples=[
                NearDuplicate(
                    pool_index=int(at),
                    index=int(self.index[at]),
                    part=cast("Part", PARTS[part_N[self.index[at]]]),
                    label=int(dataset.labels[self.index[at]]),
                    similarity=float(self.similarity[at]),
                    difference=float(self.difference[at]),
                )
                for at in pool_D[first]
            ],
        )


def near_duplicates(
    dataset: ImageDataset,
    pool: ImagePool,
    used_U: Int64,
    used_z_UD: Float32,
    pool_z_MD: Embeddings,
    to_next: Float32,
) -> Duplicates:
    """Compare each pool image with the three images of the data set that have the nearest features.

    A pair is compared on pixels if its features are similar: at least as the median training image
    and its nearest other one. It is a near-duplicate if the pixels differ little enough, by two
    limits:

    - They differ by less than half of what a shift by one pixel changes in the image of the data
      set. Re-encoded and resized copies do.
    - They differ by less than half of what 99 % of the training images and their nearest other one
      differ by at least. Where different images are that alike, as small digits are, likeness
      proves nothing.

    Equal pixels are always found if their features are. Mirrored copies count too.

    Args:
        used_U: ascending indices of the images of the data set that are in any part.
        used_z_UD: their embeddings, L2-normalised.
        pool_z_MD: embeddings of all images of the pool.
        to_next: cosine of each training image and its nearest other one.
    """
    num_pool = len(pool)
    similarity_Mk = np.empty((num_pool, min(_CANDIDATES, len(used_U))), dtype=np.float32)
    index_Mk = np.empty(similarity_Mk.shape, dtype=np.int64)
    for rows in blocks(pool_z_MD):
        similarity_Mk[rows], nearest = most_similar(as_float32(pool_z_MD[rows]), used_z_UD, _CANDIDATES)
        index_Mk[rows] = used_U[nearest]
    floor, limit = np.median(to_next) - ROUNDING, _limit(dataset, used_z_UD[: len(to_next)])
    result = Duplicates(
        found=np.zeros(num_pool, dtype=np.bool_),
        index=index_Mk[:, 0].copy(),
        similarity=similarity_Mk[:, 0].copy(),
        difference=np.full(num_pool, np.inf, dtype=np.float32),
    )
    for candidate in range(similarity_Mk.shape[1]):
        pool_C = np.flatnonzero(similarity_Mk[:, candidate] >= floor)
        for block in pixel_blocks(len(pool_C), pool.images[0].nbytes):
            at = pool_C[block]
            index = index_Mk[at, candidate]
            ours = dataset.images[index]
            difference = differences(ours, pool.images[at])
            allowed = np.minimum(roughness(ours.astype(np.float32)) / 2, limit)
            better = ((difference < allowed) | (difference == 0)) & (difference < result.difference[at])
            at, index, difference = at[better], index[better], difference[better]
            result.found[at] = True
            result.index[at], result.difference[at] = index, difference
            result.similarity[at] = similarity_Mk[at, candidate]
    return result


def _limit(dataset: ImageDataset, train_z_ND: Float32) -> float:
    """Half of the difference on pixels that 99 % of the pairs of nearest training images exceed.

    Of digits of 8 pixels, 0.7 % of new ones are nearer than that difference, and none than half of
    it. Copies of CIFAR-10's test images are found as before.

    Exact copies within the training part do not count.
    """
    drawn = np.random.default_rng(0).permutation(len(train_z_ND))[:_SAMPLE]
    _, nearest_S2 = most_similar(train_z_ND[drawn], train_z_ND, 2)
    other = np.where(nearest_S2[:, 0] == drawn, nearest_S2[:, 1], nearest_S2[:, 0])
    blocks_of = pixel_blocks(len(drawn), dataset.images[0].nbytes)
    found = np.concatenate([differences(dataset.images[drawn[b]], dataset.images[other[b]]) for b in blocks_of])
    positive = found[found > 0]
    return float(np.quantile(positive, 0.01)) / 2 if len(positive) else np.inf


def _parts(dataset: ImageDataset) -> Int64:
    """(N,) the part of each image, by its place in PARTS: the first one that it is in."""
    part_N = np.zeros(len(dataset.images), dtype=np.int64)
    for number, name in reversed(list(enumerate(PARTS))):
        part_N[dataset.parts[name]] = number
    return part_N
