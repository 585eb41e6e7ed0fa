"""Opens files beneath a folder. No link leads out of it, and no folder swapped for a link.

A path that was checked may name something else when it is opened. So the kernel, or this module,
follows a path while it opens it. Linux 5.6 and newer do it in one call (`openat2` with
`RESOLVE_BENEATH`, see openat2(2)). Elsewhere each part of a path is opened relative to the folder
before it, with `O_NOFOLLOW`. Links are then read and followed here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import weakref
from functools import cache
from pathlib import Path

_SYS_OPENAT2 = 437  # on every architecture but alpha
_RESOLVE_BENEATH = 0x08
_MOST_LINKS = 40  # as in the kernel
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# A pipe must not block, and a child process gets no file that it did not ask for.
_ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC


class LeadsOutside(Exception):
    """The path leads out of the folder."""


class Root:
    """An open folder. Everything is opened beneath it, also after the folder was renamed.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve(strict=True)
        self._fd = os.open(self.path, _FOLDER | _ALWAYS)
        weakref.finalize(self, os.close, self._fd)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open `path`, links followed.

        Args:
            path: relative to the folder. "" is the folder itself.
            flags: as of `os.open`.

        Returns:
            A file descriptor. The caller closes it.

        Raises:
            LeadsOutside: the path leads out of the folder, at the moment of opening.
            OSError: as of `os.open`.
        """
        if BY_KERNEL:
            found = _openat2(self._fd, path or ".", flags | _ALWAYS)
            if found >= 0:
                return found
        return self._open_by_parts(path, flags | _ALWAYS)  # says what is wrong, and follows absolute links

    def _open_by_parts(self, path: str, flags: int) -> int:
        left = path.split("/")[::-1]  # the next part last
        inner: list[int] = []  # the folders on the way; `..` leads back along them, whatever was moved
        links = 0
        try:
            while left:
                part = left.pop()
                if part in ("", "."):
                    continue
                if part == "..":
                    if not inner:
                        raise LeadsOutside
                    os.close(inner.pop())
                    continue
                at = inner[-1] if inner else self._fd
                is_last = all(name in ("", ".") for name in left)
                wanted = (flags if is_last else _FOLDER | _ALWAYS) | os.O_NOFOLLOW
                try:
                    found = os.open(part, wanted, dir_fd=at)
                except OSError as error:
                    target = _target(part, at)
                    if target is None:
                        raise
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
                    if target.startswith("/"):
                        target = self._beneath(target)
                        while inner:
                            os.close(inner.pop())
                    left.extend(reversed(target.split("/")))
                    continue
                if is_last:
                    return found
                inner.append(found)
            return os.open(".", flags, dir_fd=inner[-1] if inner else self._fd)
        finally:
            for folder in inner:
                os.close(folder)

    def _beneath(self, target: str) -> str:
        """An absolute path relative to the folder. It is opened like any other path after this."""
        try:
            return str(Path(os.path.realpath(target)).relative_to(self.path))
        except ValueError as error:
            raise LeadsOutside from error


def _target(name: str, at: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=at)
    except OSError:
        return None


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _kernel_can() -> bool:
    """Whether `openat2` is there. Old kernels lack it, and some containers forbid it."""
    if not sys.platform.startswith("linux"):
        return False
    here = os.open("/", _FOLDER | _ALWAYS)
    try:
        found = _openat2(here, ".", _FOLDER | _ALWAYS)
        if found >= 0:
            os.close(found)
        return found >= 0
    finally:
        os.close(here)


def _openat2(folder: int, path: str, flags: int) -> int:
    """A file descriptor, or -1 if the kernel refuses or cannot say."""
    if "\0" in path:  # C would end the path there
        return -1
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH)
    arguments = (folder, os.fsencode(path), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    return int(_libc().syscall(ctypes.c_long(_SYS_OPENAT2), *arguments))


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.syscall.restype = ctypes.c_long
    return libc


BY_KERNEL = _kernel_can()
