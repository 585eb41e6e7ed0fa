"""The array of a data set's images while it is filled: in memory, or mapped from its file."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import IMAGES
from colt_core.data.digests import BLOCK_BYTES, are_blank, image_digests
from colt_core.data.errors import DataError
from colt_core.data.limits import Limits

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


class ImageArray:
    """Takes images in any order, and digests them while they are in cache.

    Args:
        count: N, how many images there will be at most.
        side: S, in pixels.
        into: the folder of the file `images.npy`. None: memory only.

    Raises:
        DataError: if the images take more bytes than allowed.

    Attributes:
        images: (N, 3, S, S) uint8.
        digests: (N,) uint64, see `image_digests`.
        blank: (N,) bool.
    """

    def __init__(self, count: int, side: int, into: Path | None, limits: Limits) -> None:
        self._file = None if into is None else into / IMAGES
        self.images = _allocated((count, 3, side, side), self._file, limits)
        self.digests = np.zeros(count, dtype=np.uint64)
        self.blank = np.zeros(count, dtype=np.bool_)
        self._block = np.empty((max(1, BLOCK_BYTES // self.images[0].nbytes), 3, side, side), dtype=np.uint8)
        self._at = np.empty(len(self._block), dtype=np.int64)
        self._held = 0

    def put(self, indices: Int64, images: UInt8) -> None:
        """Take the images of some indices: (n,) and (n, 3, S, S)."""
        while len(indices):
            taken = min(len(indices), len(self._block) - self._held)
            there = slice(self._held, self._held + taken)
            self._block[there], self._at[there] = images[:taken], indices[:taken]
            self._held, indices, images = there.stop, indices[taken:], images[taken:]
            if self._held == len(self._block):
                self._write()

    def finish(self, left_out: Int64) -> None:
        """Write what is held, and close the gaps of the indices that never came, ascending."""
        self._write()
        if len(left_out):
            self._compact(left_out)

    def _write(self) -> None:
        if self._held == 0:  # the images fill whole blocks
            return
        block, at = self._block[: self._held], self._at[: self._held]
        self._place(at, block)
        self.digests[at] = image_digests(block)
        self.blank[at] = are_blank(block)
        self._held = 0

    def _place(self, at: Int64, block: UInt8) -> None:
        """Write images to their file: written to its map they count as memory, and take longer."""
        if self._file is None:
            self.images[at] = block
            return
        assert isinstance(self.images, np.memmap)
        neighbours = [0, *(np.flatnonzero(np.diff(at) != 1) + 1).tolist(), len(at)]
        with self._file.open("r+b") as file:
            for first, end in pairwise(neighbours):
                file.seek(self.images.offset + int(at[first]) * block[0].nbytes)
                file.write(block[first:end].data)

    def _compact(self, left_out: Int64) -> None:
        kept = np.delete(np.arange(len(self.images)), left_out)
        for start in range(int(left_out[0]), len(kept), len(self._block)):  # no image before it moves
            source = kept[start : start + len(self._block)]
            self._place(np.arange(start, start + len(source)), self.images[source])
        self.digests, self.blank = self.digests[kept], self.blank[kept]
        if self._file is None:
            self.images = self.images[: len(kept)]
            return
        shape = (len(kept), *self.images.shape[1:])
        del self.images
        with self._file.open("r+b") as file:
            # numpy leaves room in the header for a longer shape, so it has the same length.
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            file.truncate(file.tell() + int(np.prod(shape)))
        self.images = np.lib.format.open_memmap(self._file, mode="r+")


def _allocated(shape: tuple[int, int, int, int], file: Path | None, limits: Limits) -> UInt8:
    count, _, side, _ = shape
    if (needed := count * 3 * side * side) > limits.max_bytes:
        raise DataError(
            f"{count:,} images of {side} x {side} pixels take {needed:,} bytes, more than {limits.max_bytes:,}; set a "
            "smaller image_size"
        )
    if file is None:
        return np.empty(shape, dtype=np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    mapped: UInt8 = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    if sys.platform == "linux":  # a disk that is too small is an error at once
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return mapped
