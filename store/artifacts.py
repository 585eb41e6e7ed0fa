"""The artifact store: files by key, in a folder or in any store that fsspec reaches (S3-compatible among them)."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from store.models import new_id
from store.settings import get_settings


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written under a key."""

    bytes: int
    sha256: str


class ArtifactsUnavailable(OSError):
    """The store, or the disk it lies on, cannot be reached, read or written now; it may be different in a while."""


class ArtifactDamaged(Exception):
    """What is stored under a key is not what was written there."""


class ArtifactStore:
    """Keys are relative paths with '/' between parts, made by the service and never by a client.

    Args:
        url: a folder, or an fsspec URL such as `s3://bucket/prefix`.
        cache: local folder for files that are needed as real paths but live elsewhere.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._local = isinstance(self._fs, LocalFileSystem)
        self._cache = cache

    def _path(self, key: str) -> str:
        if not key or any(part in {"", ".", ".."} for part in key.split("/")):
            raise ValueError(f"not an artifact key: {key!r}")
        return f"{self._root}/{key}"

    def write(self, key: str, chunks: Iterable[bytes]) -> Stored:
        """Store a stream. Nothing is seen under `key` before it is whole: a part is written aside, then renamed.

        Raises:
            ValueError: for a key that is empty, absolute or leads upwards.
            ArtifactsUnavailable: when it cannot be stored; whatever `chunks` raises is raised as it is.
        """
        partial = f"{key}.{new_id()}.partial"
        folder = self._path(key).rsplit("/", 1)[0]
        digest, size = hashlib.sha256(), 0
        with _reaching():
            self._fs.makedirs(folder, exist_ok=True)
            file = self._fs.open(self._path(partial), "wb")
        try:
            with _closing(file):
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    with _reaching():
                        file.write(chunk)
                with _reaching():
                    if self._local:  # the name must not outlive a power cut that the bytes do not
                        file.flush()
                        os.fsync(file.fileno())
            with _reaching():
                self._fs.mv(self._path(partial), self._path(key))
                if self._local:  # nor a row the name
                    _sync_folder(folder)
        except BaseException:
            with suppress(Exception):
                self._fs.rm(self._path(partial))
            raise
        return Stored(size, digest.hexdigest())

    def put_file(self, path: Path, key: str) -> Stored:
        """Store a local file."""
        with path.open("rb") as file:
            return self.write(key, iter(lambda: file.read(2**22), b""))

    def put_folder(self, folder: Path, key: str) -> dict[str, Stored]:
        """Store the files of a local folder (not of its subfolders) under `key/`. Returns them by name."""
        return {path.name: self.put_file(path, f"{key}/{path.name}") for path in sorted(folder.iterdir())}

    @contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A seekable file.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
        """
        with _reaching():
            file = self._fs.open(self._path(key), "rb")
        with file:
            yield cast("IO[bytes]", file)

    def local_path(self, key: str) -> Path:
        """A real path of a file or folder; fetched into the cache first when the store is elsewhere.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
        """
        if self._local:
            path = Path(self._path(key))
            if not path.exists():
                raise FileNotFoundError(key)
            return path
        cached = self._cache / key
        if not cached.exists():
            with _reaching():
                self._fetch(key, cached)
        return cached

    def whole_path(self, key: str, stored: Stored) -> Path:
        """A real path of a file that was read to its end, and is what was written.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactDamaged: when something else is.
        """
        path = self.local_path(key)
        # In a cache it may be what the key held before it was written anew.
        if not _holds(path, stored) and (self._local or not self._refetched(key, stored)):
            raise ArtifactDamaged(key)
        return path

    def whole_folder(self, key: str, files: Mapping[str, Stored]) -> Path:
        """A real path of a folder whose `files`, by name, are what was written.

        Raises:
            FileNotFoundError, ArtifactDamaged: as `whole_path`.
        """
        folder = self.local_path(key)
        for name, stored in files.items():
            self.whole_path(f"{key}/{name}", stored)
        return folder

    def holds(self, key: str, stored: Stored) -> bool:
        """Whether the file under `key` is what was written. It is read where it lies, and not fetched into the cache.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
        """
        if self._local:
            return _holds(self.local_path(key), stored)
        if self.size(key) != stored.bytes:
            return False
        with self.open(key) as file:
            return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest() == stored.sha256

    def _refetched(self, key: str, stored: Stored) -> bool:
        _remove(self._cache / key)
        return _holds(self.local_path(key), stored)

    def _fetch(self, key: str, cached: Path) -> None:
        partial = cached.with_name(f"{cached.name}.{new_id()}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self._fs.isdir(self._path(key)):
                self._fs.get(f"{self._path(key)}/", f"{partial}/", recursive=True)
            else:
                self._fs.get(self._path(key), str(partial))
            partial.rename(cached)
        except OSError:
            if not cached.exists():  # else another process fetched the same folder meanwhile
                raise
        finally:
            _remove(partial)

    def files(self) -> Iterator[tuple[str, float]]:
        """Every file's key, and when it was last written, in seconds since the epoch."""
        self._fs.invalidate_cache()  # what others wrote since the last look counts too
        for path, info in self._fs.find(self._root, detail=True).items():
            modified = info.get("mtime", info.get("LastModified"))  # of a local file, of an object in S3
            if modified is None:
                modified = self._fs.modified(path)
            if isinstance(modified, dt.datetime):
                modified = modified.timestamp()
            yield path.removeprefix(f"{self._root}/"), float(modified)

    def size(self, key: str) -> int:
        with _reaching():
            return int(cast("Any", self._fs.size(self._path(key))))

    def delete(self, key: str) -> None:
        """Remove a file or folder, and its cached copy; it is no error when there is none."""
        with _reaching():
            if self._fs.exists(self._path(key)):
                self._fs.rm(self._path(key), recursive=True)
        _remove(self._cache / key)

    def check(self) -> None:
        """Write, read and remove a few bytes.

        Raises:
            ArtifactsUnavailable: when that cannot be done.
        """
        key = f"health/{new_id()}"
        self.write(key, [b"ok"])
        self.delete(key)


@contextmanager
def _reaching() -> Iterator[None]:
    """Around calls of the file system: whatever it raises means that the store is unavailable, but for a file that is
    not there and a key that is none. (S3's errors of connection are no OSErrors.)"""
    try:
        yield
    except (FileNotFoundError, ArtifactsUnavailable, ValueError):
        raise
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ArtifactsUnavailable(f"the artifact store cannot be used: {reason}") from error


@contextmanager
def _closing(file: Any) -> Iterator[None]:
    try:
        yield
    finally:
        with _reaching():  # what was buffered is written now
            file.close()


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, stored: Stored) -> bool:
    with _reaching():
        if path.stat().st_size != stored.bytes:
            return False
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == stored.sha256
        except OSError as error:
            if error.errno == errno.EIO:  # a bad block of the disk
                return False
            raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@lru_cache
def get_artifacts() -> ArtifactStore:
    """The process's artifact store."""
    settings = get_settings()
    return ArtifactStore(settings.artifacts_url, settings.home / "cache")
