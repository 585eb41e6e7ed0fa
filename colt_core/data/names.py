"""Names of files inside an archive or folder: which are safe, and which are images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat

from colt_core.data.errors import DataError
from colt_core.printed import DISGUISING

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
ARCHIVE_SUFFIXES = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar", ".npz"}
)
_NOTE_SUFFIXES = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html", ".pdf", ".toml"}
)
_LABEL_SUFFIXES = frozenset({".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml"})
_NOTE_STEMS = frozenset({"readme", "license", "licence", "notice", "citation", "changelog", "copying", "authors"})
_LONGEST_NAME = 4096
MOST_FOLDERS = 100  # within each other
_UNPRINTABLE = re.compile(rf"[{DISGUISING}\ud800-\udfff]")
_SYSTEM_FILES = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
# Somewhere in a name that `safe_name` changes or refuses, or a hidden one. \0 is between names.
_SUSPICIOUS = ("\\", ":", "/.", "\0/", "\0.", "\0\0", *_SYSTEM_FILES)
_NORMAL = re.compile(r"(?:(?!\.\.?/)[^/\\:\0]+/)*(?!\.\.?\Z)[^/\\:\0]+")  # what `safe_name` leaves as it is


def safe_name(name: str) -> str:
    """The member name in a normal form: `/` between parts, no `.` parts.

    Raises:
        DataError: for an absolute name, a drive, a `..` part or an empty name. For a name that is
            longer than file systems allow, or of too many folders.
    """
    if len(name) > _LONGEST_NAME:
        raise DataError(f"the name {name[:100]!r}... has more than {_LONGEST_NAME:,} characters; shorten it")
    if _NORMAL.fullmatch(name) and name.count("/") <= MOST_FOLDERS:
        return name
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    escapes = slashed.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", slashed)
    if escapes or not parts or "\0" in name:
        raise DataError(f"{name!r} is not a safe name; use relative names without '..' or drives")
    if len(parts) - 1 > MOST_FOLDERS:
        raise too_deep(name)
    return "/".join(parts)


def too_deep(name: str) -> DataError:
    """An error about a file or folder within too many others."""
    return DataError(f"{name[:100]!r}... lies within more than {MOST_FOLDERS} folders; move it up")


def are_plain(names: Sequence[str]) -> bool:
    """Whether none of the names is changed or refused by `safe_name`, hidden or not printable.

    A slash at the end does not count. False: some may be so. The names are looked through as one
    text, which takes a tenth of the time.
    """
    if not names:
        return True
    text = "\0".join(["", *names, ""]).lower()
    without_ends = text.replace("/\0", "\0")
    return (
        text.count("\0") == len(names) + 1
        and "//" not in text
        and not any(part in without_ends for part in _SUSPICIOUS)
        and "".join(names).isprintable()
        and max(map(len, names)) <= _LONGEST_NAME
        and max(map(str.count, names, repeat("/"))) <= MOST_FOLDERS
    )


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot anywhere, or is one that operating systems leave behind."""
    return name.startswith(".") or "/." in name or not _SYSTEM_FILES.isdisjoint(name.lower().split("/"))


def is_printable(name: str) -> bool:
    """Whether a name has no control characters, none that turn text around, and can be written as
    UTF-8."""
    return _UNPRINTABLE.search(name) is None


def split_ending(name: str) -> tuple[str, str]:
    """The last step of a name in lower case, split as by `posixpath.splitext` in half the time."""
    last = name.rpartition("/")[2].lower()
    stem, dot, ending = last.rpartition(".")
    return (stem, dot + ending) if stem.strip(".") else (last, "")


def last_ending(name: str) -> str:
    """The ending as of `split_ending`, for a name whose last step does not begin with a dot.

    Without a dot in its last step, a name may give more than that. It takes a fifth of the time.
    """
    return name[name.rfind(".") :].lower()


def last_endings(names: Iterable[str]) -> set[str]:
    """The `last_ending` of each name."""
    return {ending.lower() for ending in {name[name.rfind(".") :] for name in names}}


def is_image(name: str) -> bool:
    """Whether the name ends as that of an image file does."""
    return last_ending(name) in IMAGE_SUFFIXES and split_ending(name)[1] != ""


def may_hold_labels(name: str) -> bool:
    """Whether the file may say more about images than its folder does: a table, a list, a note."""
    if last_ending(name) not in _LABEL_SUFFIXES:
        return False
    stem, suffix = split_ending(name)
    return suffix in _LABEL_SUFFIXES and stem.partition(".")[0] not in _NOTE_STEMS


def image_names(names: Iterable[str]) -> list[str]:
    """The image names among `names` (which are safe), sorted.

    Hidden files, files that operating systems leave behind, and notes such as README or a .csv are
    skipped.

    Raises:
        DataError: for an archive inside the data, a file that is neither image nor note, a name
            that cannot be shown, or no image.
    """
    images = []
    ordered = sorted(names)
    if ordered and last_endings(ordered) <= IMAGE_SUFFIXES and are_plain(ordered):
        return ordered
    for name in ordered:
        if is_hidden(name):
            continue
        stem, suffix = split_ending(name)
        if not is_printable(name):
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
        raise DataError(f"no images found; their names must end in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images
