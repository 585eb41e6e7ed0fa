"""What a sampling round measured of every image in the pool: a file, or columns of an old row.

A file is four columns one after the other, without a header:

- float32 tailness;
- float32 similarity;
- the cluster in a uint8, or in a uint16 from 257 clusters on;
- a bit for each image, which is 1 if it was picked.

That is 9.125 bytes an image, or 10.125. Nobody reads a whole column at once, so memory does not
grow with the pool.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from store.artifacts import get_artifacts

Column = Literal["tailness", "similarity", "cluster"]
COLUMNS: tuple[Column, ...] = ("tailness", "similarity", "cluster")
FLOAT32, UINT16, UINT8 = np.dtype("<f4"), np.dtype("<u2"), np.dtype("u1")
BLOCK = 2**17  # images that are read at once: half a megabyte of a column
_FLOAT = struct.Struct("<f")
_FLOATS = 2 * FLOAT32.itemsize  # bytes of an image beside its cluster


class Source(Protocol):
    """Where the columns of one round are."""

    def read(self, wanted: Sequence[tuple[Column, int, int]]) -> list[NDArray[Any]]:
        """Parts of columns, each from an image on and before another."""
        ...


@dataclass(frozen=True, slots=True)
class InRow:
    """Columns that an earlier version packed into the row."""

    columns: Mapping[Column, NDArray[Any]]

    def read(self, wanted: Sequence[tuple[Column, int, int]]) -> list[NDArray[Any]]:
        return [self.columns[name][start:stop] for name, start, stop in wanted]


@dataclass(frozen=True, slots=True)
class InFile:
    """Columns in the artifact store.

    Args:
        key: of the file.
        images: M.
        bytes: of the file.
    """

    key: str
    images: int
    bytes: int

    def read(self, wanted: Sequence[tuple[Column, int, int]]) -> list[NDArray[Any]]:
        return read_parts([(self, *part) for part in wanted])

    def place(self, name: Column, start: int, stop: int) -> tuple[np.dtype[Any], int, int]:
        """The type of a column, and where a part of it begins and ends."""
        of_cluster: np.dtype[Any] = UINT8 if self._cluster_bytes == 1 else UINT16
        dtype = of_cluster if name == "cluster" else FLOAT32
        begin = self.images * {"tailness": 0, "similarity": FLOAT32.itemsize, "cluster": _FLOATS}[name]
        return dtype, begin + start * dtype.itemsize, begin + stop * dtype.itemsize

    def byte_of_picked(self, index: int) -> int:
        """Where the bit of an image is, which is bit `index` % 8."""
        return (_FLOATS + self._cluster_bytes) * self.images + index // 8

    @property
    def _cluster_bytes(self) -> int:
        return self.bytes // self.images - _FLOATS


def read_parts(wanted: Sequence[tuple[InFile, Column, int, int]]) -> list[NDArray[Any]]:
    """Parts of columns of several files, which a remote store fetches at once.

    Raises:
        FileNotFoundError: naming a file that is missing.
        ArtifactsUnavailable: when the store cannot be read.
    """
    places = [(file.key, *file.place(name, start, stop)) for file, name, start, stop in wanted]
    parts = get_artifacts().read_ranges([(key, begin, end) for key, _, begin, end in places])
    return [np.frombuffer(part, dtype) for part, (_, dtype, _, _) in zip(parts, places, strict=True)]


@dataclass(frozen=True, slots=True)
class Scored:
    """What one round measured of one image."""

    tailness: float
    similarity: float
    cluster: int
    selected: bool


def read_image(files: Sequence[InFile], index: int) -> list[Scored]:
    """What several rounds measured of one image.

    Raises:
        FileNotFoundError, ArtifactsUnavailable: as for `read_parts`.
    """
    ranges = []
    for file in files:
        ranges += [(file.key, *file.place(name, index, index + 1)[1:]) for name in COLUMNS]
        ranges.append((file.key, file.byte_of_picked(index), file.byte_of_picked(index) + 1))
    parts = iter(get_artifacts().read_ranges(ranges))
    found = []
    for tailness, similarity, cluster, bits in zip(parts, parts, parts, parts, strict=True):
        (of_tail,), (of_centre,) = _FLOAT.unpack(tailness), _FLOAT.unpack(similarity)
        found.append(Scored(of_tail, of_centre, int.from_bytes(cluster, "little"), bool(bits[0] >> index % 8 & 1)))
    return found


def packed(
    tailness: NDArray[np.floating[Any]],
    similarity: NDArray[np.floating[Any]],
    cluster: NDArray[np.integer[Any]],
    clusters: int,
    picks: NDArray[np.integer[Any]],
) -> Iterator[bytes]:
    """The content of a file, column by column.

    Args:
        tailness, similarity, cluster: (M,).
        clusters: how many there are.
        picks: (P,) indices of the picks.
    """
    of_cluster = UINT8 if clusters <= 2**8 else UINT16
    for column, dtype in ((tailness, FLOAT32), (similarity, FLOAT32), (cluster, of_cluster)):
        for start in range(0, len(column), 2**20):
            yield column[start : start + 2**20].astype(dtype).tobytes()
    selected = np.zeros(len(tailness), bool)
    selected[picks] = True
    yield np.packbits(selected, bitorder="little").tobytes()


@dataclass(frozen=True, slots=True)
class Block:
    """Some images that follow each other. Every array is (n,)."""

    start: int  # index of the first in the pool
    columns: Mapping[Column, NDArray[Any]]
    selected: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.selected)

    def index(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.start + len(self))


@dataclass(frozen=True, slots=True)
class PoolScores:
    """One round's scores of all M images in the pool."""

    round: int
    epoch: int
    images: int  # M
    picks: NDArray[np.int32]  # (P,) indices of the picks, ascending
    source: Source = field(repr=False)

    def blocks(self, *names: Column, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """The images from `start` on and before `stop`, BLOCK at a time."""
        end = self.images if stop is None else min(stop, self.images)
        for begin in range(start, end, BLOCK):
            last = min(begin + BLOCK, end)
            columns = self.source.read([(name, begin, last) for name in names]) if names else []
            yield Block(begin, dict(zip(names, columns, strict=True)), picked_between(self.picks, begin, last))

    def column(self, name: Column) -> NDArray[Any]:
        """A whole column. It grows with the pool."""
        (found,) = self.source.read([(name, 0, self.images)])
        return found


def picked_between(picks: NDArray[np.int32], start: int, stop: int) -> NDArray[np.bool_]:
    """(stop - start,), which images are among the ascending picks."""
    selected = np.zeros(stop - start, bool)
    first, last = np.searchsorted(picks, [start, stop])
    selected[picks[first:last] - start] = True
    return selected
