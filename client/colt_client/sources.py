"""What is uploaded: a file as it is, or a folder as an uncompressed tar that is made on the fly."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from colt_client.frames import needed

BLOCK_BYTES = 2**18
_TAR_BLOCK = 512

# A file or folder of this machine, files, or an array of numpy (N x H x W, or with 3 channels).
Images = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Any


class Source(Protocol):
    """Bytes to upload."""

    filename: str
    size: int

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """Those from `start` on. May be asked again."""


def source_of(path: str | os.PathLike[str]) -> Source:
    """The file or folder at a path of this machine.

    Raises:
        ValueError: there is none, or the folder holds nothing to send.
    """
    found = Path(path)
    if found.is_dir():
        return FolderSource(found)
    if found.is_file():
        return FileSource(found)
    raise ValueError(
        f"there is no file or folder {str(path)!r} on this machine. "
        'If it is on the server, write {"kind": "path", "path": "..."}.'
    )


class FileSource:
    """A file, sent as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.filename = path.name
        self.size = path.stat().st_size

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        return _read(self._path, self.size, start)


def source_of_images(images: Images) -> tuple[Source, list[str] | None]:
    """Images to be scored, and their names if the files are sent under others.

    Raises:
        ValueError: there is nothing to send.
    """
    if isinstance(images, str | os.PathLike):
        return source_of(images), None
    if hasattr(images, "dtype"):
        return ArraySource(images), None
    paths = [Path(path) for path in images]
    if not paths:
        raise ValueError("there is no image to send")
    return TarSource("images.tar", _numbered(paths)), [str(path) for path in paths]


class ArraySource:
    """An array of images, sent as an npy file."""

    filename = "images.npy"

    def __init__(self, images: Any) -> None:
        file = io.BytesIO()
        needed("numpy").save(file, images, allow_pickle=False)
        self._content = file.getvalue()
        self.size = len(self._content)

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        for at in range(start, self.size, BLOCK_BYTES):
            yield self._content[at : at + BLOCK_BYTES]


class TarSource:
    """Files, sent as a tar. Its bytes depend on names and contents alone."""

    def __init__(self, filename: str, files: Iterable[tuple[str, Path, int]]) -> None:
        """files: (name in the tar, path, bytes) of each. They are read when they are sent."""
        self.filename = filename
        self._files = [(_header(name, size), path, size) for name, path, size in files]
        content = sum(len(header) + size + _padding(size) for header, _, size in self._files)
        self.size = content + 2 * _TAR_BLOCK

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        passed = 0
        for block in self._all():
            yield from [block[max(0, start - passed) :]] if passed + len(block) > start else []
            passed += len(block)

    def _all(self) -> Iterator[bytes]:
        pending = bytearray()
        for header, path, size in self._files:
            pending += header
            for block in _read(path, size):
                pending += block
                if len(pending) >= BLOCK_BYTES:
                    yield bytes(pending)
                    pending.clear()
            pending += bytes(_padding(size))
        yield bytes(pending + bytes(2 * _TAR_BLOCK))


class FolderSource(TarSource):
    """A folder. Names that begin with a dot are left out. Links are followed."""

    def __init__(self, folder: Path) -> None:
        """Look at the folder. Its files are read when they are sent.

        Raises:
            ValueError: it holds no file, a link leads nowhere or around in a circle, or something
                is neither file nor folder.
        """
        name = re.sub(r"[^\w.-]", "_", folder.resolve().name).lstrip(".")
        files = list(_files(folder, "", frozenset()))
        if not files:
            raise ValueError(f"the folder {folder} holds no file to send")
        super().__init__(f"{name or 'folder'}.tar", files)


def _files(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, Path, int]]:
    """(name in the tar, path, bytes) of every file, in the order of their names."""
    here = folder.stat()
    if (here.st_dev, here.st_ino) in above:
        raise ValueError(f"{folder} is a link to a folder around it")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_dir():
            yield from _files(path, f"{prefix}{entry.name}/", above | {(here.st_dev, here.st_ino)})
        elif entry.is_file():
            yield f"{prefix}{entry.name}", path, entry.stat().st_size
        else:
            raise ValueError(f"{path} is neither a file nor a folder, or a link that leads nowhere")


def _numbered(paths: list[Path]) -> Iterator[tuple[str, Path, int]]:
    """The same, of files that keep their order whatever they are called."""
    for number, path in enumerate(paths):
        if not path.is_file():
            raise ValueError(f"there is no file {str(path)!r} on this machine")
        yield f"{number:07d}-{path.name}", path, path.stat().st_size


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> int:
    return -size % _TAR_BLOCK


def digest(source: Source) -> str:
    """The sha256 of all bytes, which are read for it."""
    found = hashlib.sha256()
    for block in source.blocks():
        found.update(block)
    return found.hexdigest()


def _read(path: Path, size: int, start: int = 0) -> Iterator[bytes]:
    """A file that has `size` bytes, from `start` on.

    Raises:
        ValueError: it has not, any more.
    """
    left = size - start
    with path.open("rb") as file:
        file.seek(start)
        while left and (block := file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block
        if left or file.read(1):
            raise ValueError(f"{path} changed while it was sent")
