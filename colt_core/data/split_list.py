"""Published splits: text files of `PATH LABEL` lines that name the training images to keep.

ImageNet-LT, ImageNet-100-LT and Places-LT come as such lists (Liu et al. 2019; Jiang et al. 2021).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.sources import LabelledSource

_LONGEST_SHOWN = 200
_LONGEST_LINE = 2**16  # bytes
_LARGEST_LABEL = 2**31


class ListedImage(NamedTuple):
    """One line of a split list."""

    line: int  # 1-based
    path: str
    label: int


def is_split_list(path: Path) -> bool:
    """Whether the file's first line that is not blank is `PATH LABEL`, not only numbers."""
    with path.open("rb") as stream:
        for raw in iter(lambda: stream.readline(_LONGEST_LINE), b""):
            if words := raw.decode("utf-8-sig", "replace").rsplit(maxsplit=1):
                return len(words) == 2 and _is_number(words[1]) and not all(map(_is_number, words[0].split()))
    return False


def read_split_list(path: Path, limits: Limits | None = None) -> Iterator[ListedImage]:
    """Read the lines of a split list. Blank lines are skipped. A path may contain blanks.

    Raises:
        DataError: for a line of another form, which the message names, or a file that is too large
            or not UTF-8.
    """
    limits = limits or Limits()
    if path.stat().st_size > limits.max_file_bytes:
        raise DataError(f"the split list is larger than {limits.max_file_bytes:,} bytes")
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            try:
                words = raw.decode("utf-8-sig").rsplit(maxsplit=1)
            except UnicodeDecodeError as error:
                raise DataError(f"line {line} of the split list is not UTF-8; save it as UTF-8 text") from error
            if not words:
                continue
            if len(words) != 2 or not _is_number(words[1]) or int(words[1]) >= _LARGEST_LABEL:
                raise DataError(
                    f"line {line} of the split list is not a path and a label (a whole number): "
                    f"{' '.join(words)[:_LONGEST_SHOWN]!r}"
                )
            yield ListedImage(line, words[0].strip(), int(words[1]))


def keep_listed(source: LabelledSource, lines: Iterable[ListedImage]) -> LabelledSource:
    """Keep the classes and training images that a split list names; the images become `listed`.

    A line names the training image whose `CLASS/IMAGE` its path ends with. Of several, the longest
    counts; folders before it, such as `train/` or `data_256/`, are ignored. Otherwise it names the
    only image whose `CLASS/IMAGE` ends with the path.

    Classes are numbered in the order of the list's labels. If the list leaves out images of a named
    class, they may still be in the probe part.

    Args:
        source: opened with `nested` if class folders are inside others.
        lines: from `read_split_list`.

    Raises:
        DataError: for an image that is missing, ambiguous or listed twice, labels that do not match
            classes one to one, or fewer than two classes.
    """
    images = _TrainingImages(source)
    class_of_label: dict[int, int] = {}
    label_of_class: dict[int, int] = {}
    line_of: dict[int, int] = {}
    for line, path, label in lines:
        position = images.find(path, line)
        if (first := line_of.setdefault(position, line)) != line:
            raise DataError(f"line {line} of the split list names {path!r} again, after line {first}; list it once")
        c = int(source.labels[position])
        if class_of_label.setdefault(label, c) != c:
            raise DataError(
                f"line {line} of the split list gives label {label} to an image of class {source.class_names[c]!r}, "
                f"but lines before it to class {source.class_names[class_of_label[label]]!r}"
            )
        if label_of_class.setdefault(c, label) != label:
            raise DataError(
                f"line {line} of the split list gives label {label} to an image of class {source.class_names[c]!r}, "
                f"but lines before it gave that class label {label_of_class[c]}"
            )
    if len(class_of_label) < 2:
        raise DataError(f"the split list names {len(class_of_label)} class; a data set needs at least two")
    classes = [class_of_label[label] for label in sorted(class_of_label)]
    number_of = np.full(len(source.class_names), -1, dtype=np.int64)
    number_of[classes] = np.arange(len(classes))
    labels = number_of[source.labels]
    return replace(
        source,
        labels=labels,
        class_names=tuple(source.class_names[c] for c in classes),
        parts={name: positions[labels[positions] >= 0] for name, positions in source.parts.items()},
        listed=np.sort(np.fromiter(line_of, dtype=np.int64, count=len(line_of))),
    )


class _TrainingImages:
    """Training positions by `CLASS/IMAGE`, where CLASS may hold `/` too."""

    def __init__(self, source: LabelledSource) -> None:
        self._position_of: dict[str, int] = {}
        self._names_of: dict[str, list[str]] = defaultdict(list)  # CLASS/IMAGE by IMAGE
        for position in source.parts["train"].tolist():
            image = source.images.name(position).rpartition("/")[2]
            name = f"{source.class_names[source.labels[position]]}/{image}"
            self._position_of[name] = position
            self._names_of[image].append(name)
        self._deepest = max(name.count("/") for name in self._position_of) + 1

    def find(self, path: str, line: int) -> int:
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        for start in range(max(0, len(parts) - self._deepest), len(parts)):
            if (position := self._position_of.get("/".join(parts[start:]))) is not None:
                return position
        end = "/".join(["", *parts])
        found = [name for name in self._names_of.get(end.rpartition("/")[2], ()) if name.endswith(end)]
        if len(found) == 1:
            return self._position_of[found[0]]
        shown = path[:_LONGEST_SHOWN]
        if not found:
            raise DataError(
                f"line {line} of the split list names {shown!r}, which is not among the training images, "
                f"such as {next(iter(self._position_of))!r}"
            )
        raise DataError(
            f"line {line} of the split list names {shown!r}, but {len(found)} training images have that name; put the "
            "whole class folder before the name"
        )


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 10
