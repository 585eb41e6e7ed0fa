"""Reads the directory of an untrusted zip.

Python's zipfile makes an object of each entry before anyone can count them, and takes long for it.
This reader finds the same entries: also in a zip with other bytes before it, with a comment, or
with the large numbers of zip64.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO, NamedTuple

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.folders import Readable
from colt_core.data.limits import Limits

_UTF8 = 0x800  # the flag of a name that is not in code page 437
_MAX_ENTRY_BYTES = 512  # bytes on average: 46, the name, and some time stamps
_FEW_BYTES = 2**20
_MAX_VERSION = 63  # of the format, times ten
_MAX_COMMENT = 2**16 - 1
_IN_EXTRA = 2**32 - 1  # of a number that the zip64 field has

# Signature; version; flags, method; checksum, packed size, size; lengths of the name, the extra
# fields and the comment; attributes, offset of the member's header.
_ENTRY = struct.Struct("<4s2xBxHH4xIIIHHH4xII")
_SIGNATURE = b"PK\1\2"
# The same for numpy, with the fields in the order of `Entry`; lengths and version last.
_FIELDS = np.dtype(
    {
        "names": [*"fmcpsao", "name", "extra", "comment", "version"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u4", "<u4", "<u4", "<u2", "<u2", "<u2", "u1"],
        "offsets": [8, 10, 16, 20, 24, 38, 42, 28, 30, 32, 6],
        "itemsize": _ENTRY.size,
    }
)
_EXTRA = struct.Struct("<HH")  # kind and length of an extra field
_ZIP64 = 1
_END_SIGNATURE = b"PK\5\6"
_END = struct.Struct("<12xII2x")  # length and offset of the directory
_ENDS_64 = struct.Struct("<4s36xQQ4s16x")  # the same for zip64, and what says where that is


class Entry(NamedTuple):
    """A file or folder in a zip.

    Attributes:
        name: as it is written.
        attributes: of the system that wrote it; in the upper half those of Unix.
        offset: of the member's header in the file.
    """

    name: str
    flags: int
    method: int
    checksum: int
    packed_size: int
    size: int
    attributes: int
    offset: int


def read_directory(file: Readable, limits: Limits) -> list[Entry]:
    """Read the entries of a zip.

    Raises:
        DataError: if there are more entries than allowed. The number that the zip claims is
            ignored.
        zipfile.BadZipFile, NotImplementedError, ValueError, OSError: if the zip is damaged.
    """
    with file.open("rb") as stream:
        start, length, before = _where(stream)
        if length > limits.max_files * _MAX_ENTRY_BYTES + _FEW_BYTES:
            raise _too_many(limits)
        stream.seek(start)
        directory = stream.read(length)
    entries = _ordinary_entries(directory, before)
    if entries is None:
        entries = list(islice(_entries(directory, before), limits.max_files + 1))
    if len(entries) > limits.max_files:
        raise _too_many(limits)
    return entries


def _too_many(limits: Limits) -> DataError:
    return DataError(f"the archive holds more than {limits.max_files:,} members; split it up")


def member_name(raw: bytes, flags: int, errors: str = "strict") -> str:
    """The name of a member in the encoding that its flags say."""
    return raw.decode("utf-8" if flags & _UTF8 or raw.isascii() else "cp437", errors)


def _where(stream: BinaryIO) -> tuple[int, int, int]:
    """Start and length of the directory, and how many bytes lie before the zip."""
    size = stream.seek(0, 2)
    tail_at = stream.seek(max(0, size - _MAX_COMMENT - _END.size - _ENDS_64.size))
    tail = stream.read()
    at = len(tail) - _END.size
    if at < 0 or not tail.startswith(_END_SIGNATURE, at):  # a comment follows
        at = tail.rfind(_END_SIGNATURE)
    if at < 0 or at + _END.size > len(tail):
        raise zipfile.BadZipFile("there is no end of the directory")
    length, offset = _END.unpack_from(tail, at)
    if at >= _ENDS_64.size:
        end_64, length_64, offset_64, locator = _ENDS_64.unpack_from(tail, at - _ENDS_64.size)
        if (end_64, locator) == (b"PK\6\6", b"PK\6\7"):
            at, length, offset = at - _ENDS_64.size, length_64, offset_64
    start = tail_at + at - length
    if start < 0:
        raise zipfile.BadZipFile("the directory is longer than the file")
    return start, length, start - offset


def _ordinary_entries(directory: bytes, before: int) -> list[Entry] | None:
    """What `_entries` finds, in two thirds of the time.

    Returns:
        None: something is damaged or not ordinary. That is a large file, a name that is not ASCII,
        or a signature that no entry begins with.
    """
    if len(directory) < _ENTRY.size:
        return None
    at_each = np.lib.stride_tricks.sliding_window_view(np.frombuffer(directory, np.uint8), _ENTRY.size)
    at = np.flatnonzero(at_each[:, 0] == _SIGNATURE[0])
    at = at[(at_each[at, : len(_SIGNATURE)] == np.frombuffer(_SIGNATURE, np.uint8)).all(axis=1)]
    fields = at_each[at].reshape(-1).view(_FIELDS)
    starts = at + _ENTRY.size
    stops = starts + fields["name"]
    ends = stops + fields["extra"] + fields["comment"]
    if not np.array_equal(np.append(0, ends), np.append(at, len(directory))):
        return None
    if np.any(fields["version"] > _MAX_VERSION) or any(np.any(fields[large] == _IN_EXTRA) for large in "pso"):
        return None
    text = directory.decode("latin-1")
    names = [text[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    if not "".join(names).isascii():
        return None
    numbers = [fields[field].tolist() for field in "fmcpsa"]
    offsets = (fields["o"].astype(np.int64) + before).tolist()
    return list(map(partial(tuple.__new__, Entry), zip(names, *numbers, offsets, strict=True)))  # as _make does


def _entries(directory: bytes, before: int) -> Iterator[Entry]:
    at = 0
    while at < len(directory):
        if at + _ENTRY.size > len(directory):
            raise zipfile.BadZipFile("the directory ends within an entry")
        (
            signature,
            version,
            flags,
            method,
            checksum,
            packed_size,
            size,
            of_name,
            of_extra,
            of_comment,
            attributes,
            offset,
        ) = _ENTRY.unpack_from(directory, at)
        if signature != _SIGNATURE:
            raise zipfile.BadZipFile("there is no entry where one must be")
        if version > _MAX_VERSION:
            raise NotImplementedError
        at += _ENTRY.size + of_name
        name = member_name(directory[at - of_name : at], flags)
        if packed_size == _IN_EXTRA or size == _IN_EXTRA or offset == _IN_EXTRA:
            size, packed_size, offset = _large(directory[at : at + of_extra], size, packed_size, offset)
        yield Entry(name, flags, method, checksum, packed_size, size, attributes, offset + before)
        at += of_extra + of_comment


def _large(extra: bytes, *numbers: int) -> list[int]:
    """The numbers, with those that the zip64 field has in place of those too large for 32 bits."""
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _ZIP64:
            field = extra[at : at + length]
            if len(field) < 8 * numbers.count(_IN_EXTRA):
                raise zipfile.BadZipFile("the zip64 field lacks a number")
            large = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            return [next(large) if number == _IN_EXTRA else number for number in numbers]
        at += length
    return list(numbers)
