"""Images that lie in files of many, such as parquet files and tars."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from colt_core.data.conversion import Conversion
from colt_core.data.decoding import decode_files
from colt_core.data.errors import DataError
from colt_core.data.folders import OneFile
from colt_core.data.limits import Limits
from colt_core.data.sources import Block, Files

Int64 = NDArray[np.int64]


class PackedImages(ABC):
    """Images addressed by file and row; see :class:`colt_core.data.sources.ImageSource`.

    Positions run through the files in the order of their names, however these are packed.

    Args:
        files: where the files are.
        counts: how many images each file holds, by its name.
        limits: limits on files and sizes.

    Raises:
        DataError: if there is no image, or there are too many.

    Attributes:
        shards: names of the files, ascending.
    """

    def __init__(self, files: Files | OneFile, counts: dict[str, int], limits: Limits) -> None:
        self.shards = sorted(counts)
        self.limits = limits
        self._files = files
        self._ends = np.cumsum([counts[name] for name in self.shards])
        if len(self) == 0:
            raise DataError(f"{self.shards[0]!r} holds no images")
        if len(self) > limits.max_files:
            raise DataError(f"there are {len(self):,} images, more than {limits.max_files:,}; split them up")

    @abstractmethod
    def name_of(self, shard: str, row: int) -> str:
        """What an error calls the image."""

    @abstractmethod
    def contents(self, shard: str, stream: BinaryIO, rows: Int64) -> Iterator[bytes]:
        """The image files in these rows, which ascend."""

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, position: int) -> str:
        """See :class:`colt_core.data.sources.ImageSource`."""
        shard = int(np.searchsorted(self._ends, position, side="right"))
        return self.name_of(self.shards[shard], int(position) - self._start(shard))

    def read(self, positions: Int64, conversion: Conversion) -> Generator[Block]:
        """See :class:`colt_core.data.sources.ImageSource`."""
        wanted = np.unique(positions)
        cuts = np.searchsorted(wanted, [0, *self._ends])
        index_of = {name: index for index, name in enumerate(self.shards)}
        in_order = [index for name in self._files.names if (index := index_of.get(name)) is not None]
        of_shard = {index: wanted[cuts[index] : cuts[index + 1]] for index in in_order}
        of_shard = {index: some for index, some in of_shard.items() if len(some)}
        order = np.concatenate(list(of_shard.values()))
        done = 0
        for names, images in decode_files(self._named_contents(of_shard), len(order), conversion, self.limits):
            yield order[done : done + len(names)], images
            done += len(names)

    def _named_contents(self, of_shard: dict[int, Int64]) -> Iterator[tuple[str, bytes]]:
        streams = self._files.streams({self.shards[index] for index in of_shard})
        for (index, positions), (shard, stream) in zip(of_shard.items(), streams, strict=True):
            rows = positions - self._start(index)
            for row, content in zip(rows.tolist(), self.contents(shard, stream, rows), strict=True):
                yield self.name_of(shard, row), content

    def _start(self, shard: int) -> int:
        return int(self._ends[shard - 1]) if shard else 0
