"""Renames or merges the classes of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import labelled
from colt_core.data.sources import LabelledSource

_SHOWN = 5


def renamed(source: LabelledSource, names: Mapping[str, str] | Sequence[str]) -> LabelledSource:
    """The source with other class names. Classes that get one name become one class.

    Args:
        source: C classes.
        names: C new names in the order of the classes, or new names by old ones.

    Raises:
        DataError: for an old name that no class has, another number of names, or fewer than two
            classes in the end.
    """
    if isinstance(names, Mapping):
        if unknown := [name for name in names if name not in source.class_names]:
            raise DataError(
                f"label_names renames {unknown[0][:100]!r}, but no class has that name; the classes are "
                f"{_some(source.class_names)}"
            )
        new = [names.get(name, name) for name in source.class_names]
    else:
        if len(names) != len(source.class_names):
            raise DataError(
                f"label_names has {len(names)} names for {len(source.class_names)} classes: {_some(source.class_names)}"
            )
        new = list(names)
    distinct = list(dict.fromkeys(new))
    number_of = {name: c for c, name in enumerate(distinct)}
    of_class = np.array([number_of[name] for name in new], dtype=np.int64)
    labels = np.where(source.labels >= 0, of_class[source.labels], -1)
    checked = labelled(source.images, labels, distinct, source.parts, source.warnings)
    return replace(checked, listed=source.listed, layout=source.layout)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} others" if more > 0 else "")
