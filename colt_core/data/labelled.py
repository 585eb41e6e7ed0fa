"""Checks labels and parts that were read, and orders class names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.names import is_printable
from colt_core.data.sources import ArrayImages, ImageSource, Int64, LabelledSource
from colt_core.data.text import is_number
from colt_core.data.warnings import DataWarning

PARTS_READ = ("train", "val", "test")
_LONGEST_NAME = 1000
Titled = tuple[str, NDArray[Any]]  # what an error calls the array, and the array


def labelled(
    images: ImageSource,
    labels: NDArray[Any],
    class_names: Sequence[str],
    parts: dict[str, Int64],
    warnings: Iterable[DataWarning] = (),
) -> LabelledSource:
    """Check and build a labelled source.

    Raises:
        DataError: if there is no training part, fewer than two classes, a label out of range, or a
            class without training images.
    """
    if "train" not in parts:
        raise DataError(f"there is no training part, only {', '.join(parts)}; name its folder 'train'")
    for name in class_names:
        if not name.strip() or len(name) > _LONGEST_NAME or not is_printable(name):
            raise DataError(f"the class name {name[:100]!r} is empty, too long or cannot be shown; change it")
    if len(class_names) < 2:
        raise DataError(f"only one class found ({class_names[0]!r}); a data set needs at least two")
    if labels.max() >= len(class_names):
        raise DataError(f"label {labels.max()} is outside 0..{len(class_names) - 1}, the classes of the training part")
    counts = np.bincount(labels[parts["train"]], minlength=len(class_names))
    if (missing := np.flatnonzero(counts == 0)).size:
        named = ", ".join(repr(class_names[c]) for c in missing[:5])
        raise DataError(
            f"{missing.size} of {len(class_names)} classes have no training image: {named}; add some or leave them out"
        )
    return LabelledSource(images, labels.astype(np.int64), tuple(class_names), parts, warnings=tuple(warnings))


def labelled_arrays(
    images: Mapping[str, Titled],
    labels: Mapping[str, Titled],
    class_names: Sequence[str] | None = None,
    warnings: Iterable[DataWarning] = (),
) -> LabelledSource:
    """Build a labelled source from arrays, by part.

    Labels that count from another number than 0 are shifted, with a warning.

    Args:
        images: (what to call it, array) by part, see :class:`ArrayImages`.
        labels: the same parts; integers or texts of shape (N,) or (N, 1).
        class_names: the names of the classes 0..C-1. None: the labels as they are.
        warnings: what was found so far.

    Raises:
        DataError: as :func:`labelled`, or if the arrays do not fit together.
    """
    found = list(warnings)
    order = [part for part in PARTS_READ if part in images]
    source = ArrayImages([images[part] for part in order])
    checked = {part: _checked_labels(*labels[part], *images[part]) for part in order}
    ends = np.cumsum([0, *(len(checked[part]) for part in order)])
    parts = {part: np.arange(*ends[i : i + 2]) for i, part in enumerate(order)}
    if "train" not in parts:
        raise DataError(f"there are no training images, only {', '.join(repr(images[part][0]) for part in order)}")
    together = np.concatenate([checked[part] for part in order])
    if together.dtype.kind == "U":
        texts = _texts(together)
        names = sorted_classes(texts)
        index_of = {name: index for index, name in enumerate(names)}
        numbers = np.array([index_of[text] for text in texts], dtype=np.int64)
        return labelled(source, numbers, names, parts, found)
    first = _first_label(together, checked["train"], labels["train"][0], found)
    largest = int(checked["train"].max()) - first
    if largest >= len(checked["train"]):
        raise DataError(f"label {largest + first} is larger than the number of images; labels must be 0..C-1")
    if class_names is not None and len(set(class_names)) < len(class_names):
        detail = "Several classes have one name. The classes are called by their numbers."
        found.append(DataWarning("class_names_not_distinct", detail, len(class_names), tuple(class_names)))
        class_names = [str(c) for c in range(len(class_names))]
    return labelled(source, together - first, class_names or [str(c + first) for c in range(largest + 1)], parts, found)


def _first_label(labels: Int64, trained: Int64, title: str, found: list[DataWarning]) -> int:
    """The number that labels count from: 0 unless all numbers from another one on are there."""
    present = np.unique(trained)
    first = int(present[0])
    if first == 0 or int(labels.min()) < first or len(present) < 2 or int(present[-1]) - first != len(present) - 1:
        return 0
    detail = (
        f"The labels in {title!r} count from {first}. They were shifted to count from 0; the class names are unchanged."
    )
    found.append(DataWarning("labels_shifted", detail, len(labels), (first,)))
    return first


def _texts(labels: NDArray[Any]) -> list[str]:
    try:
        return list(map(str, labels.tolist()))
    except ValueError as error:  # numpy stores code points without a check
        raise DataError("the labels are not valid texts; save numbers instead") from error


def _checked_labels(title: str, labels: NDArray[Any], of_images: str, images: NDArray[Any]) -> NDArray[Any]:
    """(N,) int64 or text."""
    if labels.dtype.kind not in "iubUS":
        raise DataError(f"{title!r} must be integers or texts, but is {labels.dtype}; convert it with astype(int)")
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) == len(images):
        raise DataError(
            f"{title!r} has {labels.shape[1]} values for each image, as multi-label and one-hot data have. Give each "
            "image one class, such as numpy.argmax(labels, axis=1) of one-hot labels"
        )
    if labels.shape not in ((len(images),), (len(images), 1)):
        raise DataError(
            f"{title!r} must have one number for each of the {len(images)} images of {of_images!r}; its shape is "
            f"{labels.shape}"
        )
    labels = labels.reshape(-1)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return labels
    labels = labels.astype(np.int64)
    if labels.size and labels.min() < 0:
        raise DataError(f"{title!r} holds {labels.min()}; labels must be 0..C-1")
    return labels


def sorted_classes(names: Iterable[str]) -> list[str]:
    """Distinct names, sorted, or by number if all are numbers, so that '10' follows '9'."""
    distinct = set(names)
    if all(map(is_number, distinct)):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)
