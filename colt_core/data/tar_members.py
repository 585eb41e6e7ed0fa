"""Members of a tar, as they are listed: in columns.

An object for each takes the interpreter as long as the rest of the listing does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALL = 32  # bytes of a content that is kept: a label
# Offset, size, whether it is a folder, and the content or nothing: in an array, and for struct.
ROW = np.dtype([("offset", "<i8"), ("size", "<i8"), ("is_folder", "?"), ("content", f"S{SMALL}")])
RECORD = struct.Struct(f"<qq?{SMALL}s")
_BLOCK = 1024  # members that are objects at a time


class Member(NamedTuple):
    """A file or folder in a tar.

    Attributes:
        offset: of the first byte of the content, in the unpacked tar.
        size: bytes of the content.
        content: of a file of a few bytes, such as a label. None: it has to be read.
    """

    name: str
    offset: int
    size: int
    is_folder: bool
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """Files and folders of a tar. Their iterator makes a :class:`Member` of each.

    Attributes:
        names: N names.
        rows: (N,) of type `ROW`. The content is empty if it has to be read.
    """

    names: list[str]
    rows: NDArray[Any]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Member]:
        for begin in range(0, len(self), _BLOCK):
            some = slice(begin, begin + _BLOCK)
            for name, (offset, size, is_folder, content) in zip(
                self.names[some], self.rows[some].tolist(), strict=True
            ):
                yield Member(name, offset, size, is_folder, content or None)

    def at(self, positions: Sequence[int]) -> Members:
        """Some of them."""
        return Members([self.names[position] for position in positions], self.rows[np.asarray(positions, np.int64)])
