"""Reads files of a folder on the server. No file may lead outside the allowed root."""

from __future__ import annotations

import errno
import io
import os
import stat
import weakref
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple, Protocol, cast

from colt_core.data.beneath import LeadsOutside, Root
from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.names import MOST_FOLDERS, too_deep

_BUFFER = 2**18


class Readable(Protocol):
    """A file to read several times: a path of the service's own, or a :class:`HeldFile`."""

    @property
    def name(self) -> str: ...

    def open(self, mode: Literal["rb"], buffering: int = -1) -> BinaryIO: ...

    def stat(self) -> os.stat_result: ...


class HeldFile:
    """A regular file, opened once. It stays the same file, whatever its path leads to later.

    Args:
        descriptor: of the open file. This object closes it.
        name: what a message calls it.

    Raises:
        DataError: if it is not a regular file.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        _check_regular(descriptor, name)

    def open(self, mode: Literal["rb"] = "rb", buffering: int = -1) -> BinaryIO:
        """A stream from its beginning. Each stream has its own position."""
        return cast(BinaryIO, io.BufferedReader(_Stream(self), buffering if buffering > 0 else io.DEFAULT_BUFFER_SIZE))

    def stat(self) -> os.stat_result:
        """Its size and type."""
        return os.fstat(self._descriptor)

    def fileno(self) -> int:
        """The open file's descriptor."""
        return self._descriptor


class _Stream(io.RawIOBase):
    def __init__(self, file: HeldFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}
        at = offset + (bases[whence] if whence in bases else self._file.stat().st_size)
        if at < 0:
            raise OSError(errno.EINVAL, "a position before the beginning of the file")
        self._at = at
        return at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._file.fileno(), [buffer], self._at)
        self._at += count
        return count


def open_inside(root: Root, path: str, name: str) -> int:
    """Open a file or folder beneath `root`, links followed.

    Returns:
        A file descriptor. The caller closes it.

    Raises:
        DataError: if it does not exist, cannot be read or leads out of `root`. The message calls it
            `name`.
    """
    try:
        return root.open(path)
    except LeadsOutside as error:
        raise DataError(f"{name!r} leads outside the allowed folder; copy the file there instead") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{name!r} does not exist, or is a broken link") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name!r} cannot be read; check its permissions") from error


class OneFile:
    """A single file of many images, called `name`."""

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self.names = [name]

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, open file), if it is wanted."""
        if self.names[0] in wanted:
            with self._file.open("rb") as stream:
                yield self.names[0], stream


class _Visited(NamedTuple):
    """A folder of the walk. Its name ends in a slash, except that of the first, which is empty."""

    name: str
    through_link: bool


class Folder:
    """The files under one folder, by names relative to it. Links are followed inside `root`.

    Each folder is visited once. A link to a folder that is visited anyway is refused, so that a few
    links to links cannot name the same files without end.

    Args:
        root: everything is opened beneath it.
        path: the folder, relative to `root`.
        limits: limits on files and sizes.

    Raises:
        DataError: if there are too many entries, or too many folders within each other. If a folder
            cannot be read. If a link to a folder leads outside, or to one that is visited anyway.
    """

    def __init__(self, root: Root, path: str, limits: Limits | None = None) -> None:
        self._root = root
        self._path = path
        self._limits = limits or Limits()
        self.names: list[str] = []
        self._walk()

    def _walk(self) -> None:
        entries_left = self._limits.max_entries
        visited: dict[tuple[int, int], _Visited] = {}
        waiting = [_Visited("", through_link=False)]  # the next one last
        while waiting:
            folder = waiting.pop()
            if folder.name.count("/") > MOST_FOLDERS:
                raise too_deep(folder.name)
            inner = []
            for entry in self._entries(folder, visited, entries_left):
                entries_left -= 1
                name = folder.name + entry.name
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    inner.append(_Visited(name + "/", folder.through_link or entry.is_symlink()))
                else:
                    self._add(name)
            waiting += sorted(inner, reverse=True)
        self.names.sort()

    def _add(self, name: str) -> None:
        if len(self.names) >= self._limits.max_files:
            raise DataError(f"the folder holds more than {self._limits.max_files:,} files; split it up")
        self.names.append(name)

    def _entries(
        self, folder: _Visited, visited: dict[tuple[int, int], _Visited], most: int
    ) -> Iterator[os.DirEntry[str]]:
        shown = folder.name.rstrip("/") or "."
        opened = open_inside(self._root, f"{self._path}/{folder.name}", shown)
        try:
            found = os.fstat(opened)
            before = visited.setdefault((found.st_dev, found.st_ino), folder)
            # Without a link it is another folder, on a file system that gives numbers twice.
            if before is not folder and (before.through_link or folder.through_link):
                raise _visited_twice(folder.name, before.name)
            with os.scandir(opened) as entries:
                for count, entry in enumerate(entries):
                    if count >= most:
                        entries_allowed = f"{self._limits.max_entries:,} files and folders"
                        raise DataError(f"the folder holds more than {entries_allowed}; split it up")
                    yield entry
        except OSError as error:
            raise DataError(f"the folder {shown!r} cannot be read; check its permissions") from error
        finally:
            os.close(opened)

    def read(self, wanted: set[str], most: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted file, in the order of the names. See `Archive.read`."""
        for name in self.names:
            if name in wanted:
                yield name, self._content(name, self._limits.max_file_bytes if most is None else most)

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, open file) of each wanted file, in the order of the names."""
        for name in self.names:
            if name in wanted:
                with self._open(name) as stream:
                    yield name, stream

    def _open(self, name: str) -> BinaryIO:
        stream = os.fdopen(open_inside(self._root, f"{self._path}/{name}", name), "rb", _BUFFER)
        try:
            _check_regular(stream.fileno(), name)
        except DataError:
            stream.close()
            raise
        return stream

    def _content(self, name: str, most: int) -> bytes:
        with self._open(name) as stream:
            # `read` allocates its argument, so it is not more than the file has.
            size = os.fstat(stream.fileno()).st_size
            try:
                content = stream.read(min(size, most) + 1)
            except OSError as error:
                raise DataError(f"{name!r} cannot be read; check its permissions") from error
        if len(content) > most:
            raise DataError(f"{name!r} is larger than {most:,} bytes; make it smaller")
        return content


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself; it is refused when it is read
        return False


def _check_regular(descriptor: int, name: str) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise DataError(f"{name!r} is not a regular file; remove it")


def _visited_twice(name: str, before: str) -> DataError:
    shown = repr(name.rstrip("/"))
    if name.startswith(before):
        return DataError(f"{shown} is a link to a folder that holds it; remove the link")
    return DataError(f"{shown} and {before.rstrip('/')!r} are one folder, through a link; remove the link")
