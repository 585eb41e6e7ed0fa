"""Names of files inside an archive or folder: which are safe, and which are images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from posixpath import splitext

from colt_core.data.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
ARCHIVE_SUFFIXES = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar", ".npz"}
)
_NOTE_SUFFIXES = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".yaml", ".yml", ".xml", ".html", ".pdf", ".toml"}
)
_NOTE_STEMS = frozenset({"readme", "license", "licence", "notice", "citation", "changelog", "copying", "authors"})
_LONGEST_NAME = 4096
_UNSHOWN = re.compile("[\0-\x1f\ud800-\udfff]")
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def safe_name(name: str) -> str:
    """The member name in one spelling (`/` between parts, no `.` parts).

    Raises:
        DataError: an absolute name, a drive, a `..` part, or nothing left; a name longer than any file system has.
    """
    if len(name) > _LONGEST_NAME:
        raise DataError(f"the name {name[:100]!r}... has more than {_LONGEST_NAME:,} characters; shorten it")
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    escapes = slashed.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", slashed)
    if escapes or not parts or "\0" in name:
        raise DataError(f"{name!r} is not a name inside the archive; use plain relative names without '..' or drives")
    return "/".join(parts)


def image_names(names: Iterable[str]) -> list[str]:
    """Those of the (safe) names that are images, sorted.

    Hidden files, what operating systems leave behind, and notes such as README or a .csv are passed over.

    Raises:
        DataError: an archive within, or a file that is neither image nor note; a name that cannot be shown; no image.
    """
    images = []
    for name in sorted(names):
        parts = name.split("/")
        if any(part.startswith(".") or part.lower() in _LITTER for part in parts):
            continue
        stem, suffix = splitext(parts[-1].lower())
        if _UNSHOWN.search(name):
            raise DataError(
                f"{name!r} has control characters or is not UTF-8, so it cannot be shown or stored; rename it"
            )
        if suffix in IMAGE_SUFFIXES:
            images.append(name)
        elif suffix in ARCHIVE_SUFFIXES:
            raise DataError(f"{name!r} is an archive within the data; unpack it first")
        elif suffix not in _NOTE_SUFFIXES and stem not in _NOTE_STEMS:
            raise DataError(f"{name!r} is not an image ({', '.join(sorted(IMAGE_SUFFIXES))}); remove it")
    if not images:
        raise DataError(f"no images found; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images
