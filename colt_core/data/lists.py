"""Reads lists of images: a path and a label in each line.

Published splits come as such lists: ImageNet-LT and Places-LT (Liu et al. 2019), ImageNet-100-LT
(Jiang et al. 2021), iNaturalist 2018 as long-tail repositories ship it. People write them as CSV
too, with or without a header.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.names import is_image
from colt_core.data.text import is_number, lines_of

LIST_ENDINGS = (".txt", ".csv", ".tsv")
_LONGEST_SHOWN = 200
_HEAD_BYTES = 2**17
_PATH_COLUMNS = frozenset({"path", "file", "filename", "filepath", "image", "img"}) | {
    f"{what}_{how}" for what in ("file", "image", "img") for how in ("name", "path", "file")
}
_LABEL_COLUMNS = frozenset({"label", "labels", "class", "classname", "category", "target", "y"}) | {
    f"{what}_{how}" for what in ("class", "category") for how in ("name", "id")
}


class ListedImage(NamedTuple):
    """One line of a list."""

    line: int  # from 1
    path: str
    label: str | None  # None: the list has no labels


@dataclass(frozen=True, slots=True)
class ImageList:
    """The lines of a list, and what a message calls it."""

    name: str
    images: list[ListedImage]

    def problem(self, line: int, what: str) -> DataError:
        """An error that names the list and the line."""
        return DataError(f"line {line} of {self.name!r} {what}")


def is_list(path: Path) -> bool:
    """Whether a file begins as a list of images, and not as one of numbers."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    return first_image(head[: head.rfind(b"\n") + 1] or head) is not None


def first_image(content: bytes) -> ListedImage | None:
    """The first image that a text lists. None: it is no list."""
    try:
        return next(_lines(content, ""), None)
    except DataError:
        return None


def names_columns(content: bytes) -> bool:
    """Whether a list begins with a header, as tables do."""
    try:
        first = next((line.strip() for _, line in lines_of(content, "") if not line.startswith("#")), "")
    except DataError:
        return False
    form = _form(first)
    return isinstance(form, _Columns) and form.has_header


def read_list(path: Path, limits: Limits | None = None) -> ImageList:
    """Read a list from a file. See :func:`parse_list`."""
    most = (limits or Limits()).max_file_bytes
    if path.stat().st_size > most:
        raise DataError(f"the list {path.name!r} is larger than {most:,} bytes; split it up")
    return parse_list(path.read_bytes(), path.name)


def parse_list(content: bytes, name: str) -> ImageList:
    """Read a list.

    Its first line shows the form:

    - `PATH LABEL`, separated by blanks, a tab, a comma or a semicolon;
    - a header that names the columns of both;
    - a path alone.

    A path may contain blanks. Blank lines and comments (`# ...`) are skipped.

    Raises:
        DataError: for a line of another form, which the message names, or an empty list.
    """
    images = list(_lines(content, name))
    if not images:
        raise DataError(f"the list {name!r} names no image")
    return ImageList(name, images)


def _lines(content: bytes, name: str) -> Iterator[ListedImage]:
    split: Callable[[str], tuple[str, str | None] | None] | None = None
    for number, text in lines_of(content, name):
        line = text.strip()
        if line.startswith("#") and not is_image(line.rsplit(maxsplit=1)[0]) and not is_image(line):
            continue
        if split is None:
            split = _form(line)
            if isinstance(split, _Columns) and split.has_header:
                continue
        found = None if split is None else split(line)
        if found is None or not found[0] or found[1] == "":
            raise DataError(f"line {number} of {name!r} is not a path and a label: {line[:_LONGEST_SHOWN]!r}")
        yield ListedImage(number, *found)


def _form(line: str) -> Callable[[str], tuple[str, str | None] | None] | None:
    """How to split lines, as the first one shows."""
    if "\t" not in line:
        if _blank_separated(line) is not None and not is_image(line):
            return _blank_separated
        if is_image(line) and '"' not in line and not any(is_image(cell) for cell in line.split(",")[:-1]):
            return _path_alone
    for separator in "\t,;":
        if separator in line:
            return _Columns.of(line, separator)
    return None


def _blank_separated(line: str) -> tuple[str, str | None] | None:
    words = line.rsplit(maxsplit=1)
    if len(words) != 2 or is_image(line):
        return None
    path = words[0].strip().strip(",;")
    named = is_image(path) or (_is_number(words[1]) and not all(map(_is_number, path.split())))
    return (path, words[1]) if named and not path.endswith('"') else None


def _path_alone(line: str) -> tuple[str, str | None] | None:
    return (line, None) if is_image(line) else None


@dataclass(frozen=True, slots=True)
class _Columns:
    """Splits lines of a CSV or TSV."""

    separator: str
    path: int
    label: int | None
    has_header: bool

    @classmethod
    def of(cls, line: str, separator: str) -> _Columns | None:
        cells = _cells(line, separator)
        if cells is None:
            return None
        paths = [i for i, cell in enumerate(cells) if is_image(cell)]
        if len(paths) == 1 and len(cells) <= 2:
            return cls(separator, paths[0], 1 - paths[0] if len(cells) == 2 else None, has_header=False)
        names = [cell.lower() for cell in cells]
        path, label = (
            next((i for i, name in enumerate(names) if name in known), None)
            for known in (_PATH_COLUMNS, _LABEL_COLUMNS)
        )
        if label is None and path is not None and len(names) == 2:
            label = 1 - path
        if paths or path is None or (label is None and len(names) > 1):
            return None
        return cls(separator, path, label, has_header=True)

    def __call__(self, line: str) -> tuple[str, str | None] | None:
        cells = _cells(line, self.separator)
        if cells is None or len(cells) <= max(self.path, self.label or 0):
            return None
        if not self.has_header and len(cells) != (1 if self.label is None else 2):
            return None
        return cells[self.path], None if self.label is None else cells[self.label]


def _cells(line: str, separator: str) -> list[str] | None:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True))]
    except (csv.Error, StopIteration):
        return None


def _is_number(word: str) -> bool:
    return is_number(word.removeprefix("-"))
