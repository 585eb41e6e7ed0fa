"""Sorting samples by one of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def ordered(indices: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], order: str) -> NDArray[np.int64]:
    """`indices` sorted by `order`. Equal values stay in ascending order of index, so that pages do
    not overlap.

    Args:
        indices: ascending.
        columns: numeric columns over all samples, by name.
        order: `index` or the name of a column. A leading `-` sorts in descending order.
    """
    name, descending = order.removeprefix("-"), order.startswith("-")
    if name == "index":
        return indices[::-1] if descending else indices
    values = columns[name][indices].astype(np.float64)
    return indices[np.argsort(-values if descending else values, kind="stable")]
