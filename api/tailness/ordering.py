"""Sorting samples by one of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def ordered(indices: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], order: str) -> NDArray[np.int64]:
    """`indices` (ascending) by `order`: `index` or a column's name, `-` in front for descending.

    Equal values stay by ascending index, so that pages do not overlap.

    Args:
        columns: numeric, each over all samples.
    """
    name, descending = order.removeprefix("-"), order.startswith("-")
    if name == "index":
        return indices[::-1] if descending else indices
    values = columns[name][indices].astype(np.float64)
    return indices[np.argsort(-values if descending else values, kind="stable")]
