"""Reads files of a folder on the server. No file may lead outside the allowed root."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits


def resolve_inside(path: Path, root: Path, name: str) -> Path:
    """The real path of `path`, links followed.

    Raises:
        DataError: if it does not exist or is outside `root`. The message calls it `name`.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name!r} does not exist, or is a broken link") from error
    if not real.is_relative_to(root.resolve(strict=True)):
        raise DataError(f"{name!r} leads outside the allowed folder; copy the file there instead")
    return real


def open_regular(path: Path, name: str) -> BinaryIO:
    """Open a file to read; a link or a pipe that has replaced it is not opened.

    Raises:
        DataError: if it cannot be opened. The message calls it `name`.
    """
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", 2**18)
    except OSError as error:
        raise DataError(f"{name!r} cannot be read; check its permissions") from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise DataError(f"{name!r} is not a regular file; remove it")
    return stream


class OneFile:
    """A single file of many images, called `name`."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.names = [name]

    def streams(self, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
        """(name, open file), if it is wanted."""
        if self.names[0] in wanted:
            with open_regular(self._path, self.names[0]) as stream:
                yield self.names[0], stream


class Folder:
    """The files under one folder, by names relative to it. Links are followed inside `root`."""

    def __init__(self, path: Path, root: Path, limits: Limits | None = None) -> None:
        self._path = resolve_inside(path, root, path.name)
        self._root = root.resolve(strict=True)
        self._limits = limits or Limits()
        self.names: list[str] = []
        self._walk(self._path, "", (self._path,))

    def _walk(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"the folder {prefix or '.'!r} cannot be read; check its permissions") from error
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                inner = resolve_inside(Path(entry.path), self._root, name) if entry.is_symlink() else Path(entry.path)
                if inner in above:
                    raise DataError(f"{name!r} is a link to a folder that holds it; remove the link")
                self._walk(inner, name + "/", (*above, inner))
                continue
            if len(self.names) >= self._limits.max_files:
                raise DataError(f"the folder holds more than {self._limits.max_files:,} files; split it up")
            self.names.append(name)

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
        return open_regular(resolve_inside(self._path / name, self._root, name), name)

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
