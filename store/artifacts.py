"""The artifact store: files by key, in a folder or in a remote store that fsspec supports (S3)."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from store.digests import DigestMemory, read_sha256
from store.disks import check_room, room
from store.models import new_id
from store.settings import get_settings

_ASK_AFTER_BYTES = 2**18  # written between two looks at the room on the disk


@dataclass(frozen=True, slots=True)
class Stored:
    """Size and digest of the file that was written under a key."""

    bytes: int
    sha256: str


class ArtifactsUnavailable(OSError):
    """The store or its disk cannot be reached, read or written now. A later try may succeed."""


class ArtifactDamaged(Exception):
    """The file under a key differs from what was written there."""


class StoredFile:
    """An open file of the store that counts and hashes what is written to it.

    Attributes:
        stored: size and digest of what was written so far.
    """

    def __init__(self, file: IO[bytes], folder: Path | None = None) -> None:
        self._file = file
        self._folder = folder  # where it lies, on a disk whose floor it must not pass; None: elsewhere
        self._granted = 0  # bytes that may be written before the disk is asked again
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            ArtifactsUnavailable: when they cannot be written, or the disk would have less free than
                its floor.
        """
        with _reaching():
            self._check_room(len(data))
            self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)
        return len(data)

    def _check_room(self, wanted: int) -> None:
        if self._folder is not None and wanted > self._granted:
            check_room(self._folder, wanted)
            self._granted = max(wanted, _ASK_AFTER_BYTES)
        self._granted -= wanted

    def flush(self) -> None:
        """Do nothing; some writers call it. The bytes reach the disk when the file is complete."""

    @property
    def stored(self) -> Stored:
        return Stored(self._bytes, self._digest.hexdigest())


class ArtifactStore:
    """Files by key. Keys are relative paths with '/' between parts; only the service makes them.

    Args:
        url: a folder, or an fsspec URL such as `s3://bucket/prefix`.
        cache: local folder for copies of remote files that are needed as real paths.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._local = isinstance(self._fs, LocalFileSystem)
        self._cache = cache
        self._digests: DigestMemory | None = None

    def remember_digests(self, folder: Path) -> None:
        """Keep digests in `folder`, so that `whole_path` reads each file once. See DigestMemory.

        Args:
            folder: shared by the processes of one worker.
        """
        self._digests = DigestMemory(folder)

    def _path(self, key: str) -> str:
        if not key or any(part in {"", ".", ".."} for part in key.split("/")):
            raise ValueError(f"not an artifact key: {key!r}")
        return f"{self._root}/{key}"

    @contextmanager
    def writing(self, key: str) -> Iterator[StoredFile]:
        """A file to write to. It is written under another name and renamed to `key` once complete.

        Raises:
            ValueError: for a key that is empty, absolute or leads upwards.
            ArtifactsUnavailable: when it cannot be stored. Errors that the caller raises inside
                pass unchanged.
        """
        partial = _partial(key)
        with _reaching():
            self._fs.makedirs(self._folder(key), exist_ok=True)
            file = self._fs.open(self._path(partial), "wb")
        with self._removed_if_broken_off(partial):
            with _closing(file):
                yield StoredFile(cast("IO[bytes]", file), Path(self._root) if self._local else None)
                with _reaching():
                    if self._local:  # after a power cut there must be no name without its bytes
                        file.flush()
                        os.fsync(file.fileno())
            self._name(partial, key)

    def write(self, key: str, chunks: Iterable[bytes]) -> Stored:
        """Store a stream, with the errors of `writing`. Errors from `chunks` pass unchanged."""
        with self.writing(key) as file:
            for chunk in chunks:
                file.write(chunk)
        return file.stored

    def take_file(self, path: Path, key: str) -> Stored:
        """Store a local file and remove the original.

        The file is moved within one file system, and copied to another.

        Raises:
            ArtifactsUnavailable: when it cannot be stored. The local file may be gone all the same.
        """
        return (self._moved(path, key) if self._local else None) or self._copied(path, key)

    def take_folder(self, folder: Path, key: str) -> dict[str, Stored]:
        """Take the files of a local folder, without its subfolders, under `key/`.

        Returns:
            Size and digest of each file, by name.

        Raises:
            ArtifactsUnavailable: as `take_file`.
        """
        return {path.name: self.take_file(path, f"{key}/{path.name}") for path in sorted(folder.iterdir())}

    def _moved(self, path: Path, key: str) -> Stored | None:
        """Move a file into the store; None when it is on another file system."""
        partial = _partial(key)
        with _reaching():
            self._fs.makedirs(self._folder(key), exist_ok=True)
            os.utime(path)  # store/orphans.py deletes partial files that are old
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
        """Rename a complete partial file to its key."""
        with _reaching():
            self._fs.mv(self._path(partial), self._path(key))
            if self._local:  # after a power cut there must be no row without its file
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
        """The file under `key`, seekable.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactsUnavailable: when it cannot be opened.
        """
        with _reaching():
            file = self._fs.open(self._path(key), "rb")
        with file:
            yield cast("IO[bytes]", file)

    def read_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Bytes of files: of a key, from one place on and before another.

        A remote store is asked for all at once, and nothing is kept in the cache.

        Raises:
            FileNotFoundError: naming a key under which nothing is stored.
            ArtifactsUnavailable: when one cannot be read, or a file ends too early.
        """
        with _reaching():
            found = self._read_here(ranges) if self._local else self._read_there(ranges)
        for (key, start, stop), part in zip(ranges, found, strict=True):
            if len(part) != stop - start:
                raise ArtifactsUnavailable(f"the artifact store cannot be used: {key} has fewer than {stop:,} bytes")
        return found

    def _read_here(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        found = []
        opened, descriptor = "", -1
        try:
            for key, start, stop in ranges:
                if key != opened:
                    if descriptor >= 0:
                        os.close(descriptor)
                        descriptor = -1
                    try:
                        descriptor, opened = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC), key
                    except FileNotFoundError as error:
                        raise FileNotFoundError(key) from error
                found.append(os.pread(descriptor, stop - start, start))
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return found

    def _read_there(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        keys, starts, stops = zip(*ranges, strict=True) if ranges else ((), (), ())
        paths = [self._path(key) for key in keys]
        found = self._fs.cat_ranges(paths, list(starts), list(stops), on_error="return")
        for key, part in zip(keys, found, strict=True):
            if isinstance(part, FileNotFoundError):
                raise FileNotFoundError(key) from part
            if isinstance(part, Exception):
                raise part
        return cast("list[bytes]", found)

    def local_path(self, key: str) -> Path:
        """A real path of a file or folder. What is stored remotely is fetched into the cache first.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactsUnavailable: when it cannot be fetched.
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

    def own_path(self, key: str) -> Path | None:
        """The path of a file in a folder of this machine; None if it is elsewhere, or missing."""
        path = Path(self._path(key))
        return path if self._local and path.exists() else None

    def whole_path(self, key: str, stored: Stored) -> Path:
        """A real path of a file, after comparing it with what was written.

        The file is read to its end, unless its digest is remembered.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactDamaged: when the file differs from `stored`.
            ArtifactsUnavailable: when it cannot be read or fetched.
        """
        if self._local:
            path = self.local_path(key)
            if not self._is_whole(path, stored):
                raise ArtifactDamaged(key)
            return path
        cached = self._cache / key
        # The cached copy may be older than the file that the key names now.
        if not (cached.exists() and self._is_whole(cached, stored)):
            _remove(cached)
            self._fetch(key)
            if not self._is_whole(cached, stored, own=True):
                raise ArtifactDamaged(key)
        return cached

    def whole_folder(self, key: str, files: Mapping[str, Stored]) -> Path:
        """A real path of a folder, after comparing `files` (by name) with what was written.

        Other files of the folder are not read.

        Raises:
            FileNotFoundError: naming the missing file, or the folder if all of it is missing.
            ArtifactDamaged: as `whole_path`.
            ArtifactsUnavailable: as `whole_path`.
        """
        if self._local or not files:  # earlier versions recorded no list of files
            self.local_path(key)
        for name, stored in files.items():
            self.whole_path(f"{key}/{name}", stored)
        return Path(self._path(key)) if self._local else self._cache / key

    def holds(self, key: str, stored: Stored) -> bool:
        """Whether the file under `key` is what was written. It is read without using the cache.

        Raises:
            FileNotFoundError: when nothing is stored under `key`.
            ArtifactsUnavailable: when the store cannot be read.
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
        except FileNotFoundError as error:  # it names the path, callers know the key
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
            if not cached.exists():  # else another process has fetched the same folder
                raise
        finally:
            _remove(partial)

    def files(self) -> Iterator[tuple[str, float]]:
        """Every file's key, and when it was last written, in seconds since the epoch."""
        self._fs.invalidate_cache()  # fsspec caches listings, and other processes write too
        for path, info in self._fs.find(self._root, detail=True).items():
            modified = info.get("mtime", info.get("LastModified"))  # local file, object in S3
            if modified is None:
                modified = self._fs.modified(path)
            if isinstance(modified, dt.datetime):
                modified = modified.timestamp()
            yield path.removeprefix(f"{self._root}/"), float(modified)

    def room(self) -> int | None:
        """Bytes that may still be stored above the floor of the disk; None: no known limit.

        Raises:
            ArtifactsUnavailable: when the disk cannot be asked.
        """
        with _reaching():
            return room(Path(self._root)) if self._local else None

    def size(self, key: str) -> int:
        with _reaching():
            return int(cast("Any", self._fs.size(self._path(key))))

    def delete(self, key: str) -> int:
        """Remove a file or folder and its cached copy. A missing one is no error.

        Returns:
            How many bytes it had, without the cached copy.

        Raises:
            ArtifactsUnavailable: when it cannot be removed.
        """
        with _reaching():
            size = 0
            if self._fs.exists(self._path(key)):
                self._fs.invalidate_cache()  # a file may have been added by another process
                size = int(cast("Any", self._fs.du(self._path(key))))
                self._fs.rm(self._path(key), recursive=True)
        _remove(self._cache / key)
        return size

    def check(self) -> None:
        """Write and remove a few bytes.

        Raises:
            ArtifactsUnavailable: when that fails.
        """
        key = f"health/{new_id()}"
        self.write(key, [b"ok"])
        self.delete(key)


@contextmanager
def _reaching() -> Iterator[None]:
    """Raise any error of the file system inside as ArtifactsUnavailable.

    A missing file and an invalid key pass unchanged. All exceptions are caught, since S3's
    connection errors are no OSErrors.
    """
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
        with _reaching():  # closing writes what is still buffered
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
            if error.errno == errno.EIO:  # a bad block on the disk
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
