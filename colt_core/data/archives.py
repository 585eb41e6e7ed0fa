"""Reads members of untrusted zip and tar archives.

Nothing is ever extracted. Members are read straight into memory, one at a time, so no name can
reach the file system and 60,000 small files are never written. Names are checked all the same: an
archive that holds `../x` or a link is broken or an attack. Decompressed bytes are counted while
they are read.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Protocol, Self, cast

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits, Meter
from colt_core.data.names import safe_name
from colt_core.data.zip_directory import read_directory

# The readers raise ValueError or OverflowError on numbers and names that no honest archive has.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
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
_ZIP_UTF8, _ZIP_PATCH, _ZIP_STRONG_ENCRYPTION = 0x800, 0x20, 0x40
_TAR_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_MAX_TAR_EXTENSION = 1 << 20


class Archive(Protocol):
    """A checked archive: its file names, and their contents in the order that reads fastest."""

    names: list[str]

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member.

        Raises DataError for a damaged or missing one, or one of more than `most` bytes (default:
        those of an image file, `Limits.max_file_bytes`).
        """
        ...


def open_archive(path: Path, limits: Limits | None = None) -> Archive:
    """Open the zip, tar or tar.gz at `path`. Its content decides which it is, not its name.

    Raises:
        DataError: neither zip nor tar; damaged; or a member that is unsafe, a link, a duplicate or
            encrypted.
    """
    limits = limits or Limits()
    if zipfile.is_zipfile(path):
        return ZipArchive(path, limits)
    return TarArchive(path, limits)


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


def _check_size(content: bytes, name: str, most: int) -> None:
    if len(content) > most:
        raise DataError(f"{name!r} is larger than {most:,} bytes; make it smaller")


class ZipArchive:
    """A zip of stored or deflated members. Other methods would decompress without a bound."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._members: dict[str, zipfile.ZipInfo] = {}
        names = _Names(limits)
        try:
            infos = read_directory(path, limits)
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError("the zip archive is damaged; pack or send it again") from error
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{info.filename!r} is a link or device; put the file itself into the archive")
            if info.flag_bits & 0x1:
                raise DataError(f"{info.filename!r} is encrypted; pack the archive without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{info.filename!r} is packed by an unusual method; use store or deflate")
            # `filename` ends at a NUL; the name as written does not.
            is_folder = info.filename.endswith("/")  # `is_dir` fails on an empty name
            name = names.add(info.orig_filename, is_folder)
            if not is_folder:
                self._members[name] = info
        self.names = list(self._members)

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member, in the order of the archive."""
        meter = Meter(self._limits, self._path.stat().st_size)
        most = self._limits.max_file_bytes if most is None else most
        with self._path.open("rb") as file:
            for name, info in self._members.items():
                if name in wanted:
                    try:
                        content = _read_member(file, info, most + 1)
                    except _DAMAGE as error:
                        raise DataError(f"{name!r} is damaged in the archive; pack or send it again") from error
                    meter.add(len(content))
                    _check_size(content, name, most)
                    yield name, content


def _read_member(file: BinaryIO, info: zipfile.ZipInfo, most: int) -> bytes:
    """The first `most` bytes of a member. If that is all of it, its checksum is verified.

    ZipFile.open would take as long as decoding a small image.
    """
    file.seek(info.header_offset)
    header = file.read(_ZIP_HEADER.size)
    if len(header) < _ZIP_HEADER.size:
        raise EOFError
    signature, flags, name_length, extra_length = _ZIP_HEADER.unpack(header)
    name = file.read(name_length + extra_length)[:name_length]
    if (
        signature != b"PK\3\4"
        or name.decode("utf-8" if flags & _ZIP_UTF8 else "cp437", "replace") != info.orig_filename
    ):
        raise zipfile.BadZipFile("the header of the member contradicts the directory")
    if info.flag_bits & (_ZIP_PATCH | _ZIP_STRONG_ENCRYPTION):
        raise NotImplementedError
    # Deflate enlarges incompressible data by less than a thousandth.
    packed = file.read(min(info.compress_size, most + most // 1000 + 64))
    if len(packed) < info.compress_size and len(packed) < most:
        raise EOFError
    content = packed
    if info.compress_type == zipfile.ZIP_DEFLATED:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
    content = content[: min(info.file_size, most)]
    if len(content) < most and zlib.crc32(content) != info.CRC:
        raise zipfile.BadZipFile("the checksum does not match")
    return content


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses extension headers (long name, pax) of megabytes, which tarfile reads whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _TAR_EXTENSIONS and not 0 <= info.size <= _MAX_TAR_EXTENSION:
            raise DataError("the tar archive has an oversized header; pack it again")
        return info

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise DataError("the tar archive holds a sparse file, whose map tarfile would read without a bound")


class _Counted(io.RawIOBase):
    """A stream that reports every byte read from it to the meter."""

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._meter.add(len(block))
        return block


class TarArchive:
    """A tar or tar.gz, always read from front to back: a gzip has no random access."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        names = _Names(limits)
        self.names = []
        for member, _ in self._members():
            if member.isdir() and member.name in ("", "."):
                continue  # `tar -C folder .` begins with it
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise DataError(
                    f"{member.name!r} is a link, device or sparse file; put the file itself into the archive"
                )
            name = names.add(member.name, member.isdir())
            if member.isreg():
                self.names.append(name)

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted member, in the order of the archive."""
        most = self._limits.max_file_bytes if most is None else most
        for member, tar in self._members():
            if member.isreg() and (name := safe_name(member.name)) in wanted:
                try:
                    stream = cast(IO[bytes], tar.extractfile(member))
                    # The meter counts the bytes. The bound is needed, since `read` allocates its
                    # argument.
                    content = stream.read(min(member.size, most) + 1)
                except DataError:
                    raise
                except _DAMAGE as error:
                    raise DataError(f"{name!r} is damaged in the archive; pack or send it again") from error
                _check_size(content, name, most)
                yield name, content

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
        meter = Meter(self._limits, self._path.stat().st_size)
        try:
            with self._path.open("rb") as raw, _gunzipped(raw) as plain:
                counted = cast(IO[bytes], _Counted(plain, meter))
                with tarfile.open(fileobj=counted, mode="r|", tarinfo=_BoundedTarInfo) as tar:
                    for member in tar:
                        # tarfile would read on past the end of the file, up to the size that is
                        # claimed.
                        if not 0 <= member.size <= self._limits.max_bytes:
                            raise DataError(f"{member.name[:100]!r} claims an impossible size; pack the archive again")
                        yield member, tar
                        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep every header of a stream
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError(
                f"{self._path.name!r} is not a zip, tar or tar.gz archive, or a damaged one; pack or send it again"
            ) from error


def _gunzipped(raw: BinaryIO) -> IO[bytes]:
    magic = raw.read(2)
    raw.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if magic == b"\x1f\x8b" else raw
