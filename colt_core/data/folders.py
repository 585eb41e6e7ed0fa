"""Reading files of a folder on the server, none of which may lead outside its allowed root."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits


def resolve_inside(path: Path, root: Path, name: str) -> Path:
    """The real path of `path`, links followed.

    Raises:
        DataError: it does not exist, or lies outside `root`; `name` is what the message calls it.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name!r} does not exist, or is a link to nowhere") from error
    if not real.is_relative_to(root.resolve(strict=True)):
        raise DataError(f"{name!r} leads outside the allowed folder; copy the file there instead")
    return real


class Folder:
    """The files under one folder, by names relative to it. Links are followed as long as they stay inside `root`."""

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

    def read(self, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each wanted file, in the order of the names."""
        for name in self.names:
            if name in wanted:
                yield name, self._content(name)

    def _content(self, name: str) -> bytes:
        real = resolve_inside(self._path / name, self._root, name)
        try:
            # No link and no waiting pipe may have taken the file's place since.
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise DataError(f"{name!r} is not a regular file; remove it")
                # Not more than there is: as much memory is taken as may be read.
                content = stream.read(min(status.st_size, self._limits.max_file_bytes) + 1)
        except OSError as error:
            raise DataError(f"{name!r} cannot be read; check its permissions") from error
        if len(content) > self._limits.max_file_bytes:
            raise DataError(f"{name!r} is larger than {self._limits.max_file_bytes:,} bytes; make it smaller")
        return content
