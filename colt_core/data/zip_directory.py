"""Reads the directory of an untrusted zip.

The directory is bounded before zipfile makes an object of each entry.
"""

from __future__ import annotations

import zipfile
from typing import IO, BinaryIO, cast

from colt_core.data.errors import DataError
from colt_core.data.folders import Readable
from colt_core.data.limits import Limits

_MAX_ENTRY_BYTES = 512  # bytes on average: 46, the name, and some time stamps
_FEW_BYTES = 2**20
_ENTRY = b"PK\1\2"


def read_directory(file: Readable, limits: Limits) -> list[zipfile.ZipInfo]:
    """Read the entries of a zip.

    Raises:
        DataError: if there are more entries than allowed. The number that the zip claims is
            ignored.
        zipfile.BadZipFile, ValueError, OSError: if the zip is damaged.
    """
    with file.open("rb") as stream, zipfile.ZipFile(cast(IO[bytes], _Bounded(stream, limits.max_files))) as archive:
        return archive.infolist()


class _Bounded:
    """A file that limits what zipfile reads at once to the largest directory allowed."""

    def __init__(self, stream: BinaryIO, max_files: int) -> None:
        self._stream = stream
        self._max_files = max_files
        self._most = max_files * _MAX_ENTRY_BYTES + _FEW_BYTES
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._most + 1 if size < 0 else min(size, self._most + 1))
        if len(content) > self._most or content.count(_ENTRY) > self._max_files:
            raise DataError(f"the archive holds more than {self._max_files:,} members; split it up")
        return content
