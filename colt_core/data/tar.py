"""Reads the members of an untrusted tar, from its headers alone.

Python's tarfile takes about as long for a member as a small image takes to decode. It also ends
without a word at the first broken header. This reader knows ustar, pax and GNU names, and refuses
the rest: links, devices, sparse files.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import IO

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits, Meter
from colt_core.data.tar_blocks import BLOCK as _BLOCK
from colt_core.data.tar_blocks import ordinary_members
from colt_core.data.tar_members import RECORD, ROW, Members
from colt_core.data.tar_members import Member as Member  # who lists members finds their type here

_WINDOW, _MANY = 2**20, 128  # bytes read at once, while there are so many members among them
_EMPTY = bytes(_BLOCK)
# Name, size, checksum, kind, magic and prefix of a header.
_HEADER = struct.Struct("100s24x12s12x8s1s100x6s82x155s12x")
_REGULAR, _FOLDER, _LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL = b"07\0", b"5", b"L", b"K", b"x", b"g"
_SPARSE = b"S"
_MAX_EXTENSION = 2**20  # bytes of an extended header


class TarDamaged(ValueError):
    """The bytes are no tar, or a damaged one."""


def members(stream: IO[bytes], meter: Meter, limits: Limits) -> Members:
    """List the members of the tar that begins where `stream` begins.

    A gzip is only ever sought forward. Listing ends when there are more members than allowed, so
    that the caller can refuse them.

    Raises:
        DataError: for a link, a device, a sparse file, or a size that cannot be; or if the members
            take more bytes than `meter` allows.
        TarDamaged: if it is no tar, or ends within a member.
    """
    names: list[str] = []
    rows = bytearray()
    end = 0  # of the member before
    many = not isinstance(stream, gzip.GzipFile)
    while many and len(names) <= limits.max_files + 1:
        stream.seek(end)
        found, length, claimed = ordinary_members(stream.read(_WINDOW), end, limits.max_bytes)
        meter.add(claimed)
        if found:
            names += found.names
            rows += found.rows.tobytes()
        end, many = end + length, len(found) >= _MANY
    if end == 0:
        stream.seek(0)
    long_name: str | None = None
    pax: dict[bytes, bytes] = {}
    while len(names) <= limits.max_files + 1 and (header := _next_header(stream, end)) is not None:
        raw_name, raw_size, checksum, kind, magic, prefix = _HEADER.unpack(header)
        if _number(checksum) != _sum(header) - _sum(checksum) + 8 * ord(" "):
            raise TarDamaged("the checksum of a header does not match")
        size, offset = _number(raw_size), end + _BLOCK
        if kind in (_PAX, _PAX_ALL, _LONG_NAME, _LONG_LINK):
            if not 0 <= size <= _MAX_EXTENSION:
                raise DataError("the tar archive has an oversized header; pack it again")
            meter.add(_BLOCK + size)
            content = stream.read(size)
            if kind == _PAX:
                pax = _pax_records(content)
            elif kind == _LONG_NAME:
                long_name = _text(content)
        else:
            name = _text(raw_name)
            if magic == b"ustar\0" and prefix[0]:
                name = f"{_text(prefix)}/{name}"
            if long_name is not None:
                name = long_name
            if pax:
                name = _text(pax[b"path"]) if b"path" in pax else name
                size = _pax_size(pax, size)
            is_folder = kind == _FOLDER or (kind == b"\0" and name.endswith("/"))
            if not is_folder and (kind not in _REGULAR or any(key.startswith(b"GNU.sparse") for key in pax)):
                raise DataError(
                    f"{name[:100]!r} is a link, device or sparse file; put the file itself into the archive"
                )
            # A stream would be read on past its end, up to the size that is claimed.
            if not 0 <= size <= limits.max_bytes:
                raise DataError(f"{name[:100]!r} claims an impossible size; pack the archive again")
            meter.add(_BLOCK + size)
            names.append(name)
            rows += RECORD.pack(offset, size, is_folder, b"")
            long_name, pax = None, {}
        end = offset + -(-size // _BLOCK) * _BLOCK
    return Members(names, np.frombuffer(rows, ROW))


def _next_header(stream: IO[bytes], end: int) -> bytes | None:
    """The header at `end`; None at the end of the tar.

    The byte before it is read too, for seeking alone does not notice that the file is cut short.
    """
    if end == 0:
        header = stream.read(_BLOCK)
    else:
        stream.seek(end - 1)
        before = stream.read(_BLOCK + 1)
        if not before:
            raise TarDamaged("the file ends within a member")
        header = before[1:]
        if not header:  # the blocks that mark the end are missing; some programs write none
            return None
    if header == _EMPTY:
        return None
    if len(header) < _BLOCK:
        raise TarDamaged("the file ends within a header")
    return header


def _sum(field: bytes) -> int:
    """The sum of at most 512 bytes, by halves: that of 256 bytes is exact in Adler-32's lower half.

    `sum` takes ten times as long, most of what a member took.
    """
    return (zlib.adler32(field[:256]) & 0xFFFF) + (zlib.adler32(field[256:]) & 0xFFFF) - 2


def _number(field: bytes) -> int:
    """A number of a header: octal, or binary if its first bit is set."""
    if field[0] in (0o200, 0o377):
        number = int.from_bytes(field[1:], "big")
        return number if field[0] == 0o200 else number - 256 ** (len(field) - 1)
    digits = field.split(b"\0", 1)[0].strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError as error:
        raise TarDamaged("a header holds no number where one must be") from error


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax_size(pax: dict[bytes, bytes], size: int) -> int:
    if b"size" not in pax:
        return size
    digits = pax[b"size"]
    if not digits.isdigit() or len(digits) > 20:
        return -1  # refused by the caller, who knows the name
    return int(digits)


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    """The `LENGTH KEY=VALUE` lines of an extended header."""
    records, start = {}, 0
    while start < len(content) and content[start]:
        digits, blank, _ = content[start : start + 24].partition(b" ")
        if not blank or not digits.isdigit():
            raise TarDamaged("an extended header has no length")
        stop = start + int(digits)
        key, equals, value = content[start + len(digits) + 1 : stop - 1].partition(b"=")
        if stop > len(content) or not equals or content[stop - 1 : stop] != b"\n":
            raise TarDamaged("an extended header is damaged")
        records[key], start = value, stop
    return records
