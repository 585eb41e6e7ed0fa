"""Reads members of untrusted zip and tar archives.

Nothing is ever extracted. Members are read straight into memory, one at a time, so no name can
reach the file system and 60,000 small files are never written. Names are checked all the same: an
archive that holds `../x` or a link is broken or an attack. Decompressed bytes are counted while
they are read.

Members that are files of many images (parquet, tar shards) are read in place. If they are
compressed, one at a time is unpacked to a temporary file without a name.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Protocol, cast

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.folders import Readable
from colt_core.data.gunzip import plain_stream
from colt_core.data.limits import Limits, Meter
from colt_core.data.names import are_plain, safe_name
from colt_core.data.tar import members
from colt_core.data.tar_members import Member, Members
from colt_core.data.zip_directory import Entry, member_name, read_directory

# The readers raise ValueError or OverflowError on numbers and names that no honest archive has.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,
    OSError,
    ValueError,
    OverflowError,
)
# A member's header: signature, flags, length of the name, length of the extra field.
_ZIP_HEADER = struct.Struct("<4s2xH18xHH")
_ZIP_ENCRYPTED, _ZIP_PATCH, _ZIP_STRONG_ENCRYPTION = 0x1, 0x20, 0x40
_BUFFER = 2**18  # bytes read at once: small members come in one read
_BLOCK = 2**20


class Archive(Protocol):
    """A checked archive: its file names, and their contents in the order that reads fastest."""

    names: list[str]

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member.

        Raises DataError for a damaged or missing one, or one of more than `most` bytes (default:
        those of an image file, `Limits.max_file_bytes`).
        """
        ...

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, file that can be sought) of each wanted member, open until the next is asked for.

        Raises as `read`; what is wrong with the bytes may show only when they are read.
        """
        ...


def open_archive(file: Readable, limits: Limits | None = None) -> Archive:
    """Open a zip, tar or tar.gz. Its content decides which it is, not its name.

    Raises:
        DataError: neither zip nor tar; damaged; or a member that is unsafe, a link, a duplicate or
            encrypted.
    """
    limits = limits or Limits()
    with file.open("rb") as stream:
        is_zip = zipfile.is_zipfile(stream)
    return ZipArchive(file, limits) if is_zip else TarArchive(file, limits)


class _Names:
    """Collects member names, and refuses those that no honest archive of images holds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = 0
        self._files: set[str] = set()

    def add(self, raw_name: str, is_folder: bool) -> str:
        name = safe_name(raw_name)
        self._count += 1
        if self._count > self._limits.max_files:
            raise DataError(f"the archive holds more than {self._limits.max_files:,} members; split it up")
        if not is_folder:  # a folder may well be listed twice
            if name in self._files:
                raise DataError(f"the archive holds {name!r} twice; keep one")
            self._files.add(name)
        return name


def _by_safe_name(entries: list[Entry], limits: Limits) -> dict[str, Entry]:
    """The files of a zip.

    Raises:
        DataError: as `_Names.add`.
    """
    raw_names = [entry.name for entry in entries]
    if are_plain(raw_names) and len(set(raw_names)) == len(raw_names):
        return {entry.name: entry for entry in entries if not entry.name.endswith("/")}
    names, found = _Names(limits), {}
    for entry in entries:
        is_folder = entry.name.endswith("/")
        name = names.add(entry.name, is_folder)
        if not is_folder:
            found[name] = entry
    return found


def _check_size(content: bytes, name: str, most: int) -> None:
    if len(content) > most:
        raise DataError(f"{name!r} is larger than {most:,} bytes; make it smaller")


class ZipArchive:
    """A zip of stored or deflated members. Other methods would decompress without a bound."""

    def __init__(self, file: Readable, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        try:
            entries = read_directory(file, limits)
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError("the zip archive is damaged; pack or send it again") from error
        for entry in {(entry.attributes, entry.flags, entry.method): entry for entry in reversed(entries)}.values():
            kind = stat.S_IFMT(entry.attributes >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{entry.name!r} is a link or device; put the file itself into the archive")
            if entry.flags & _ZIP_ENCRYPTED:
                raise DataError(f"{entry.name!r} is encrypted; pack the archive without a password")
            if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{entry.name!r} is packed by an unusual method; use store or deflate")
        self._members = _by_safe_name(entries, limits)
        self.names = list(self._members)

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member, in the order of the archive."""
        meter = Meter(self._limits, self._file.stat().st_size)
        most = self._limits.max_file_bytes if most is None else most
        with self._file.open("rb", buffering=_BUFFER) as file:
            for name, entry in self._members.items():
                if name in wanted:
                    try:
                        content = _read_member(file, entry, most + 1)
                    except _DAMAGE as error:
                        raise DataError(f"{name!r} is damaged in the archive; pack or send it again") from error
                    meter.add(len(content))
                    _check_size(content, name, most)
                    yield name, content

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """See :class:`Archive`."""
        meter = Meter(self._limits, self._file.stat().st_size)
        with self._file.open("rb", buffering=_BUFFER) as file:
            for name, entry in self._members.items():
                if name in wanted:
                    meter.add(entry.size)
                    try:
                        _seek_content(file, entry)
                        stored = entry.method == zipfile.ZIP_STORED
                        content = (
                            _window(file, file.tell(), entry.size) if stored else _unpacked(_inflated(file, entry))
                        )
                    except _DAMAGE as error:
                        raise DataError(f"{name!r} is damaged in the archive; pack or send it again") from error
                    with content:
                        yield name, content


def _read_member(file: BinaryIO, entry: Entry, most: int) -> bytes:
    """The first `most` bytes of a member. If that is all of it, its checksum is verified.

    ZipFile.open would take as long as decoding a small image.
    """
    _seek_content(file, entry)
    # Deflate enlarges incompressible data by less than a thousandth.
    packed = file.read(min(entry.packed_size, most + most // 1000 + 64))
    if len(packed) < entry.packed_size and len(packed) < most:
        raise EOFError
    content = packed
    if entry.method == zipfile.ZIP_DEFLATED:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
    content = content[: min(entry.size, most)]
    if len(content) < most and zlib.crc32(content) != entry.checksum:
        raise zipfile.BadZipFile("the checksum does not match")
    return content


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The content of a deflated member in blocks: as many bytes as it claims, or an error."""
    inflate, left, checksum = zlib.decompressobj(-zlib.MAX_WBITS), entry.size, 0
    packed_left, packed = entry.packed_size, b""
    while left > 0:
        if not packed:
            packed = file.read(min(packed_left, _BLOCK))
            packed_left -= len(packed)
        block = inflate.decompress(packed, min(left, _BLOCK))
        packed = inflate.unconsumed_tail
        if not block and not packed and (packed_left == 0 or inflate.eof):
            raise EOFError
        left -= len(block)
        checksum = zlib.crc32(block, checksum)
        yield block
    if checksum != entry.checksum:
        raise zipfile.BadZipFile("the checksum does not match")


def _unpacked(blocks: Iterable[bytes]) -> BinaryIO:
    """A temporary file of these bytes."""
    copy = cast(BinaryIO, TemporaryFile())  # noqa: SIM115 (the caller closes it)
    try:
        for block in blocks:
            _write(copy, block)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _write(copy: BinaryIO, block: bytes) -> None:
    try:
        copy.write(block)
    except OSError as error:  # not damage, which the callers would say
        raise DataError("there is no room to unpack a file of the archive; pack it without compression") from error


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """The next `size` bytes."""
    while size > 0:
        block = stream.read(min(size, _BLOCK))
        if not block:
            raise EOFError
        size -= len(block)
        yield block


class _Window(io.RawIOBase):
    """A part of an open file, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        block = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)


def _window(file: IO[bytes], start: int, size: int) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Window(file, start, size), _BUFFER))


def _seek_content(file: BinaryIO, entry: Entry) -> None:
    """Seek to the content of a member; its header must say what the directory says."""
    file.seek(entry.offset)
    header = file.read(_ZIP_HEADER.size)
    if len(header) < _ZIP_HEADER.size:
        raise EOFError
    signature, flags, name_length, extra_length = _ZIP_HEADER.unpack(header)
    name = file.read(name_length + extra_length)[:name_length]
    if signature != b"PK\3\4" or member_name(name, flags, "replace") != entry.name:
        raise zipfile.BadZipFile("the header of the member contradicts the directory")
    if entry.flags & (_ZIP_PATCH | _ZIP_STRONG_ENCRYPTION):
        raise NotImplementedError


class TarArchive:
    """A tar or tar.gz, always read from front to back: a gzip has no random access.

    Attributes:
        file: where it is.
        members: its files with safe names, in its order.
    """

    def __init__(self, file: Readable, limits: Limits) -> None:
        self.file = file
        self._limits = limits
        with open_tar(file) as stream:
            self.members = tar_files(stream, file.stat().st_size, limits)
        self.names = self.members.names

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member, in the order of the archive."""
        most = self._limits.max_file_bytes if most is None else most
        with open_tar(self.file) as stream:
            for member in self._wanted(wanted):
                yield member.name, read_member(stream, member, member.name, most)

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, open file) of each wanted member, in the order of the archive."""
        with open_tar(self.file) as stream:
            packed = isinstance(stream, gzip.GzipFile)
            for member in self._wanted(wanted):
                stream.seek(member.offset)
                if packed:
                    with _unpacked(_blocks(stream, member.size)) as copy:
                        yield member.name, copy
                else:
                    yield member.name, _window(stream, member.offset, member.size)

    def _wanted(self, names: set[str]) -> Members:
        return self.members.at([position for position, name in enumerate(self.names) if name in names])


@contextmanager
def open_tar(file: Readable) -> Iterator[IO[bytes]]:
    """Open a tar or tar.gz; what is wrong with its bytes becomes a DataError."""
    refused = damage_refused(f"{file.name!r} is not a zip, tar or tar.gz archive, or a damaged one; send it again")
    with refused, file.open("rb", buffering=_BUFFER) as raw, plain_stream(raw) as plain:
        yield plain


@contextmanager
def damage_refused(detail: str) -> Iterator[None]:
    """What the readers of archives raise on damaged bytes becomes a DataError of this text."""
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(detail) from error


def tar_files(stream: IO[bytes], packed_bytes: int, limits: Limits) -> Members:
    """The files in the tar that begins where `stream` does, with safe names, in its order.

    Raises:
        DataError: for a name that is unsafe or there twice, and as for :func:`members`.
    """
    listed = members(stream, Meter(limits, packed_bytes), limits)
    are_folders = listed.rows["is_folder"]
    files = listed.at(np.flatnonzero(~are_folders).tolist()) if are_folders.any() else listed
    is_unique = len(set(listed.names)) == len(listed) <= limits.max_files
    if is_unique and are_plain(listed.names) and not any(map(str.endswith, files.names, repeat("/"))):
        return files
    names, safe = _Names(limits), []
    for raw_name, is_folder in zip(listed.names, are_folders.tolist(), strict=True):
        if is_folder and raw_name.strip("/") in ("", "."):  # what `tar -C folder .` begins with
            continue
        name = names.add(raw_name, is_folder)
        if not is_folder:
            safe.append(name)
    return Members(safe, files.rows)


def read_member(stream: IO[bytes], member: Member, name: str, most: int) -> bytes:
    """The content of a tar's member. `stream` is sought forward.

    Raises:
        DataError: if it has more than `most` bytes, or is damaged.
    """
    if member.size > most:
        raise DataError(f"{name!r} is larger than {most:,} bytes; make it smaller")
    if member.content is not None:
        return member.content
    try:
        stream.seek(member.offset)
        content = stream.read(member.size)
        if len(content) < member.size:
            raise EOFError
    except _DAMAGE as error:
        raise DataError(f"{name!r} is damaged in the archive; pack or send it again") from error
    return content
