"""The artifact store: files by key, in a folder or in any store that fsspec reaches (S3-compatible
among them)."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from store.digests import DigestMemory, read_sha256
from store.models import new_id
from store.settings import get_settings


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written under a key."""

    bytes: int
    sha256: str


class ArtifactsUnavailable(OSError):
    """The store, or the disk it lies on, cannot be reached, read or written now; it may be
    different in a while."""


class ArtifactDamaged(Exception):
    """What is stored under a key is not what was written there."""


class StoredFile:
    """An open file of the store that counts and hashes what is written to it.

    Attributes:
        stored: what was written so far.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Raises ArtifactsUnavailable when it cannot be written."""
        with _reaching():
            self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """For writers that call it. The bytes are brought to the disk when the file is whole."""

    @property
    def stored(self) -> Stored:
        return Stored(self._bytes, self._digest.hexdigest())


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
        self._digests: DigestMemory | None = None

    def remember_digests(self, folder: Path) -> None:
        """Keep digests of what was read in `folder`, so that `whole_path` reads each file once; see
        DigestMemory."""
        self._digests = DigestMemory(folder)

    def _path(self, key: str) -> str:
        if not key or any(part in {"", ".", ".."} for part in key.split("/")):
            raise ValueError(f"not an artifact key: {key!r}")
        return f"{self._root}/{key}"

    @contextmanager
    def writing(self, key: str) -> Iterator[StoredFile]:
        """A file to write to. Nothing is seen under `key` before it is whole: a part is written
        aside, then renamed.

        Raises:
            ValueError: for a key that is empty, absolute or leads upwards.
            ArtifactsUnavailable: when it cannot be stored. An error of the caller's own is raised
                as it is.
        """
        partial = _partial(key)
        with _reaching():
            self._fs.makedirs(self._folder(key), exist_ok=True)
            file = self._fs.open(self._path(partial), "wb")
        with self._removed_if_broken_off(partial):
            with _closing(file):
                yield StoredFile(cast("IO[bytes]", file))
                with _reaching():
                    if self._local:  # the name must not outlive a power cut that the bytes do not
                        file.flush()
                        os.fsync(file.fileno())
            self._name(partial, key)

    def write(self, key: str, chunks: Iterable[bytes]) -> Stored:
        """Store a stream, as by `writing`; whatever `chunks` raises is raised as it is."""
        with self.writing(key) as file:
            for chunk in chunks:
                file.write(chunk)
        return file.stored

    def take_file(self, path: Path, key: str) -> Stored:
        """Store a local file, which is gone afterwards: moved within one file system, else copied.

        Raises:
            ArtifactsUnavailable: when it cannot be stored. The local file may be gone then, too.
        """
        return (self._moved(path, key) if self._local else None) or self._copied(path, key)

    def take_folder(self, folder: Path, key: str) -> dict[str, Stored]:
        """Take the files of a local folder (not of its subfolders) under `key/`. Returns them by
        name."""
        return {path.name: self.take_file(path, f"{key}/{path.name}") for path in sorted(folder.iterdir())}

    def _moved(self, path: Path, key: str) -> Stored | None:
        """None when it lies on another file system."""
        partial = _partial(key)
        with _reaching():
            self._fs.makedirs(self._folder(key), exist_ok=True)
            os.utime(path)  # an old file would be taken for an orphan's part, see store/orphans.py
            try:
                path.rename(self._path(partial))
            except OSError as error:
                if error.errno == errno.EXDEV:
                    return None
                raise
        with self._removed_if_broken_off(partial):
            with _reaching(), Path(self._path(partial)).open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                stored = Stored(os.fstat(file.fileno()).st_size, sha256)
                os.fsync(file.fileno())
            self._name(partial, key)
        return stored

    def _copied(self, path: Path, key: str) -> Stored:
        with path.open("rb") as file:
            stored = self.write(key, iter(lambda: file.read(2**22), b""))
        path.unlink()
        return stored

    def _folder(self, key: str) -> str:
        return self._path(key).rpartition("/")[0]

    def _name(self, partial: str, key: str) -> None:
        """Give a part that is whole its name."""
        with _reaching():
            self._fs.mv(self._path(partial), self._path(key))
            if self._local:  # a row must not outlive a power cut that the name does not
                _sync_folder(self._folder(key))

    @contextmanager
    def _removed_if_broken_off(self, partial: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(Exception):
                self._fs.rm(self._path(partial))
            raise

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
        """A real path of a file or folder; fetched into the cache first when the store is
        elsewhere.

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
            self._fetch(key)
        return cached

    def whole_path(self, key: str, stored: Stored) -> Path:
        """A real path of a file that is what was written: it was read to its end, now or as its
        digest is remembered.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactDamaged: when something else is.
        """
        if self._local:
            path = self.local_path(key)
            if not self._is_whole(path, stored):
                raise ArtifactDamaged(key)
            return path
        cached = self._cache / key
        # The copy may be of what the key held before it was written anew.
        if not (cached.exists() and self._is_whole(cached, stored)):
            _remove(cached)
            self._fetch(key)
            if not self._is_whole(cached, stored, own=True):
                raise ArtifactDamaged(key)
        return cached

    def whole_folder(self, key: str, files: Mapping[str, Stored]) -> Path:
        """A real path of a folder in which these files, by name, are what was written. No other
        file of it is read.

        Raises:
            FileNotFoundError: naming the file, or the folder where that is known to be missing.
            ArtifactDamaged: as `whole_path`.
        """
        if self._local or not files:  # of what an earlier version wrote, the files are not known
            self.local_path(key)
        for name, stored in files.items():
            self.whole_path(f"{key}/{name}", stored)
        return Path(self._path(key)) if self._local else self._cache / key

    def holds(self, key: str, stored: Stored) -> bool:
        """Whether the file under `key` is what was written. It is read where it lies, and not
        fetched into the cache.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
        """
        if self._local:
            return _holds(self.local_path(key), stored, read_sha256)
        if self.size(key) != stored.bytes:
            return False
        with self.open(key) as file:
            return hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest() == stored.sha256

    def _is_whole(self, path: Path, stored: Stored, *, own: bool = False) -> bool:
        digests = self._digests
        return _holds(path, stored, read_sha256 if digests is None else lambda path: digests.sha256(path, own=own))

    def _fetch(self, key: str) -> None:
        """Copy a file or folder into the cache."""
        try:
            with _reaching():
                self._fetch_into(self._cache / key, key)
        except FileNotFoundError as error:  # which names another path
            raise FileNotFoundError(key) from error

    def _fetch_into(self, cached: Path, key: str) -> None:
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
    """Around calls of the file system: whatever it raises means that the store is unavailable, but
    for a file that is not there and a key that is none. (S3's errors of connection are no
    OSErrors.)"""
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


def _partial(key: str) -> str:
    return f"{key}.{new_id()}.partial"


def _holds(path: Path, stored: Stored, sha256_of: Callable[[Path], str]) -> bool:
    with _reaching():
        if path.stat().st_size != stored.bytes:
            return False
        try:
            return sha256_of(path) == stored.sha256
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
