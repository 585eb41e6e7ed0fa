"""Labels as files hold them, numbers or names, to classes 0..C-1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.labelled import labelled, sorted_classes
from colt_core.data.sources import ImageSource, Int64, LabelledSource
from colt_core.data.text import is_number
from colt_core.data.warnings import DataWarning

_LONGEST_NAME = 200  # characters
_LARGEST = 2**31


def is_missing(label: str) -> bool:
    """Whether the text means no label: `datasets` writes -1, and numpy nan.

    Words such as `none` and `NA` are names of classes in published data.
    """
    return label in ("", "-1") or label.lower() == "nan"


def labelled_by_values(
    images: ImageSource,
    labels: Sequence[str] | Int64,
    parts: dict[str, Int64],
    warnings: Iterable[DataWarning] = (),
) -> LabelledSource:
    """Each distinct label is a class: in the order of numbers, or of names if they are words.

    Args:
        images: N images.
        labels: N labels, none of them missing.
        parts: positions of the images by part.
        warnings: what was found on the way.

    Raises:
        DataError: if some labels are numbers and others words, or one is longer than a name; or as
            for :func:`labelled`.
    """
    if isinstance(labels, np.ndarray):
        distinct, index = np.unique(labels, return_inverse=True)
        return labelled(images, index, [str(label) for label in distinct], parts, warnings)
    names = sorted_classes(labels)
    words = [name for name in names if not is_number(name)]
    if words and len(words) < len(names):
        word, number = labels.index(words[0]), labels.index(next(name for name in names if name not in words))
        raise DataError(
            f"the label of {images.name(word)!r} is {labels[word][:_LONGEST_NAME]!r}, and the label of "
            f"{images.name(number)!r} is the number {labels[number]}; write all as names or all as numbers"
        )
    if longest := next((name for name in names if len(name) > _LONGEST_NAME), None):
        raise DataError(
            f"the label of {images.name(labels.index(longest))!r} has {len(longest):,} characters, more than "
            f"{_LONGEST_NAME}; are these the labels?"
        )
    index_of = {name: index for index, name in enumerate(names)}
    return labelled(images, np.array([index_of[label] for label in labels], dtype=np.int64), names, parts, warnings)


def labelled_by_names(
    images: ImageSource,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    parts: dict[str, Int64],
    warnings: Iterable[DataWarning] = (),
) -> LabelledSource:
    """Label c is the class `class_names[c]`. Names that no image has are left out, with a warning.

    Args and Raises: as for :func:`labelled_by_values`; and for a label without a name.
    """
    if (odd := np.flatnonzero(labels >= len(class_names))).size:
        position = int(odd[0])
        raise DataError(
            f"the label of {images.name(position)!r} is {labels[position]}, but there are only {len(class_names)} "
            "class names; add the others"
        )
    used, index = np.unique(labels, return_inverse=True)
    found = list(warnings)
    if len(used) < len(class_names):
        without = [name for c, name in enumerate(class_names) if c not in set(used.tolist())]
        detail = f"{len(without)} of {len(class_names)} class names have no image, and are left out."
        found.append(DataWarning("classes_without_images", detail, len(without), tuple(without)))
    return labelled(images, index, [class_names[c] for c in used], parts, found)


def whole_numbers(labels: Sequence[float | None]) -> Int64 | int:
    """Labels as int64, -1 for those that are missing or negative; or the index of one that is no
    whole number below 2**31."""
    found = np.array(
        [-1 if label is None or label != label or label < 0 else label for label in labels], dtype=np.float64
    )
    odd = np.flatnonzero((found != np.round(found)) | (found >= _LARGEST))
    return int(odd[0]) if len(odd) else found.astype(np.int64)
