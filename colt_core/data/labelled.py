"""Checks labels and parts that were read, and orders class names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.sources import ImageSource, Int64, LabelledSource
from colt_core.data.warnings import DataWarning

PARTS_READ = ("train", "val", "test")


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


def sorted_classes(names: Iterable[str]) -> list[str]:
    """Distinct names, sorted, or by number if all are numbers, so that '10' follows '9'."""
    distinct = set(names)
    if all(name.isascii() and name.isdecimal() for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)
