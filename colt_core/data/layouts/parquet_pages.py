"""Looks at the pages of a column of an untrusted parquet file before pyarrow unpacks them.

The footer may claim any sizes; pyarrow allocates what the header of a page says. The headers are
Thrift structs in the compact protocol (https://github.com/apache/parquet-format, `PageHeader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

_MAX_HEADER = 2**16  # bytes
_DICTIONARY_PAGE = 2
_MAX_PAGE = 2**30  # bytes, unpacked
_DEEPEST = 8  # structs within structs
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)


class PagesDamaged(ValueError):
    """The pages are not what the footer says, or too large."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Sizes of the pages of one column in one row group, unpacked.

    Attributes:
        dictionary: bytes of the dictionary; 0 without one.
        data: bytes of all other pages.
        largest: bytes of the largest page.
    """

    dictionary: int
    data: int
    largest: int


def look_at_pages(stream: BinaryIO, start: int, size: int, most: int) -> Pages:
    """Walk over the headers of the pages between `start` and `start + size`.

    Raises:
        PagesDamaged: if the pages do not fill this space, there are more than `most`, or one is
            larger than a gibibyte.
    """
    at, end, count = start, start + size, 0
    dictionary = data = largest = 0
    while at < end:
        stream.seek(at)
        header = _Header(stream.read(min(_MAX_HEADER, end - at)))
        kind, unpacked, packed = header.page()
        at += header.at + packed
        count += 1
        if at > end or count > most or not 0 <= unpacked <= _MAX_PAGE or packed < 0:
            raise PagesDamaged
        largest = max(largest, unpacked)
        if kind == _DICTIONARY_PAGE:
            dictionary += unpacked
        else:
            data += unpacked
    return Pages(dictionary, data, largest)


class _Header:
    """A Thrift struct in the compact protocol."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def page(self) -> tuple[int, int, int]:
        """The type of the page, and its sizes unpacked and packed."""
        found = {1: -1, 2: -1, 3: -1}
        field = 0
        while (step := self._byte()) & 15 != _STOP:
            field = field + (step >> 4) if step >> 4 else self._integer()
            if field in found and step & 15 in _INTEGERS:
                found[field] = self._integer()
            else:
                self._skip(step & 15, 0)
        return found[1], found[2], found[3]

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise PagesDamaged
        if kind in (_TRUE, _FALSE):
            return  # the value of a field is its type
        if kind == _BYTE:
            self.at += 1
        elif kind in _INTEGERS:
            self._varint()
        elif kind == _DOUBLE:
            self.at += 8
        elif kind == _BINARY:
            size = self._varint()
            self.at += size
        elif kind == _STRUCT:
            while (step := self._byte()) & 15 != _STOP:
                if not step >> 4:
                    self._varint()
                self._skip(step & 15, depth + 1)
        else:  # headers of pages hold no lists, sets or maps
            raise PagesDamaged
        if self.at > len(self._content):
            raise PagesDamaged

    def _byte(self) -> int:
        if self.at >= len(self._content):
            raise PagesDamaged
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise PagesDamaged

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
