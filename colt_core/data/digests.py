"""Digests of decoded images: equal pixels have equal digests.

The digest is NH, the universal hash of UMAC (Black et al., CRYPTO 1999, section 3). Its products of
32-bit words are two array operations for a block of images. At 32 pixels that takes an eighth of
the time of BLAKE2. Two images that differ in one pair of words have the same digest with a
probability of 2^-32, others with about 2^-64.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
UInt64 = NDArray[np.uint64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

DIGESTS = "digests.npy"
BLOCK_BYTES = 2**18  # of pixels: a block and what is computed from it stay in cache


def image_digests(images_N3SS: UInt8) -> UInt64:
    """(N,) digests of a block of images. They are the same on every machine and in every version.

    Changing this function makes all stored digests worthless.
    """
    pixels_NP = images_N3SS.reshape(len(images_N3SS), -1)
    size = pixels_NP.shape[1]
    if size % 8 or not pixels_NP.flags.c_contiguous:
        padded_NP = np.zeros((len(pixels_NP), size + -size % 8), dtype=np.uint8)
        padded_NP[:, :size] = pixels_NP
        pixels_NP = padded_NP
    words_NW = pixels_NP.view("<u4")
    half = words_NW.shape[1] // 2
    keyed_NW = words_NW + _keys(2 * half)  # modulo 2^32
    digests_N: UInt64 = np.einsum("nw,nw->n", keyed_NW[:, :half], keyed_NW[:, half:], dtype=np.uint64, casting="safe")
    return digests_N


@lru_cache(maxsize=2)
def _keys(count: int) -> NDArray[np.uint32]:
    """Random but fixed words."""
    return np.frombuffer(hashlib.shake_128(b"colt_core image digests").digest(4 * count), "<u4")


def are_blank(images_N3SS: UInt8) -> Bool:
    """(N,) whether all pixels of an image have the same colour."""
    blank_N: Bool = (images_N3SS[:, :, 0] == images_N3SS[:, :, 0, :1]).all(axis=(1, 2))
    for i in np.flatnonzero(blank_N):  # few images have a first line of one colour
        blank_N[i] = (images_N3SS[i] == images_N3SS[i, :, :1, :1]).all()
    return blank_N


def digests_of(images_N3SS: UInt8) -> UInt64:
    """(N,) digests of any number of images, possibly memory-mapped."""
    step = max(1, BLOCK_BYTES // images_N3SS[0].nbytes)
    blocks = range(0, len(images_N3SS), step)
    return np.concatenate([image_digests(np.asarray(images_N3SS[i : i + step])) for i in blocks])


@dataclass(frozen=True, slots=True)
class SortedDigests:
    """Digests of images in ascending order, and which image each belongs to.

    Attributes:
        digest: (N,), ascending.
        index: (N,); ascending among equal digests.
    """

    digest: UInt64
    index: Int64

    @classmethod
    def of(cls, digests_N: UInt64) -> Self:
        """Sort the digests of images 0..N-1."""
        index_N = np.argsort(digests_N, kind="stable")
        return cls(digests_N[index_N], index_N)

    def save(self, folder: Path) -> None:
        """Write `digests.npy`: (2, N) uint64, the digests and the indices."""
        np.save(folder / DIGESTS, np.stack([self.digest, self.index.astype(np.uint64)]))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: if the file holds something else.
        """
        try:
            both = np.load(path, allow_pickle=False)
        except EOFError as error:  # of an empty file
            raise ValueError(f"{path.name} is empty") from error
        if both.dtype != np.uint64 or both.ndim != 2 or len(both) != 2 or np.any(both[1] >= both.shape[1]):
            raise ValueError(f"{path.name} does not hold digests")
        return cls(both[0], both[1].astype(np.int64))

    def among(self, chosen: Int64) -> SortedDigests:
        """Those of the images `chosen`."""
        is_chosen = np.zeros(len(self.index), dtype=np.bool_)
        is_chosen[chosen] = True
        kept = is_chosen[self.index]
        return SortedDigests(self.digest[kept], self.index[kept])

    def copies(self) -> tuple[int, Int64]:
        """Images that are equal to an earlier one.

        Returns:
            Their number, and (G, 2) indices: the first two images of each group of equal ones, by
            the first.
        """
        again = self.digest[1:] == self.digest[:-1]
        starts = np.flatnonzero(again & ~np.concatenate([[False], again[:-1]]))
        pairs_G2 = np.stack([self.index[starts], self.index[starts + 1]], axis=1)
        return int(again.sum()), pairs_G2[np.argsort(pairs_G2[:, 0], kind="stable")]

    def also_in(self, other: SortedDigests) -> Int64:
        """(H, 2) indices: each image that `other` has too, and the first such image of `other`."""
        if not len(other.digest):
            return np.empty((0, 2), dtype=np.int64)
        at = np.searchsorted(other.digest, self.digest).clip(max=len(other.digest) - 1)
        hit = other.digest[at] == self.digest
        pairs_H2 = np.stack([self.index[hit], other.index[at[hit]]], axis=1)
        return pairs_H2[np.argsort(pairs_H2[:, 0], kind="stable")]
