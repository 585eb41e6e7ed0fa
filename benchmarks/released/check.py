"""What every check of released numbers is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

SCORE_TOLERANCE = 1e-5  # relative
# Sums of float32 in another order differ so much. The same step deviates by 0.7 to 1.1e-4 in its
# smallest gradient, depending on threads and instructions of one CPU.
GRADIENT_TOLERANCE = 2e-4


@dataclass(frozen=True, slots=True)
class Check:
    """The largest deviation of a quantity.

    It is relative, except for lists of choices, where it is the number of differing places.
    """

    quantity: str
    deviation: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance. NaN is not."""
        return self.deviation <= self.tolerance


def close(
    quantity: str,
    ours: NDArray[Any],
    expected: NDArray[Any],
    tolerance: float,
    *,
    floor: float = 1.0,
    least: float = 0.0,
) -> Check:
    """A check of numbers; see :func:`deviation`."""
    return Check(quantity, deviation(ours, expected, floor, least), tolerance)


def same(quantity: str, ours: NDArray[Any], expected: NDArray[Any]) -> Check:
    """A check of choices, which allows no difference."""
    differing = expected.size if ours.shape != expected.shape else np.count_nonzero(ours != expected)
    return Check(quantity, float(differing), 0.0)


def deviation(ours: NDArray[Any], expected: NDArray[Any], floor: float, least: float = 0.0) -> float:
    """Largest relative difference; infinite if the shapes differ.

    Args:
        ours: what was computed.
        expected: what it should be.
        floor: differences are relative to the expected magnitude, but at least to this share of the
            largest one.
        least: and at least to this magnitude.
    """
    if ours.shape != expected.shape:
        return float("inf")
    magnitude = np.abs(expected.astype(np.float64))
    scale = np.maximum(magnitude, max(floor * magnitude.max(), least, np.finfo(np.float32).tiny))
    return float((np.abs(ours.astype(np.float64) - expected) / scale).max())


def normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """L2-normalised rows."""
    unit: NDArray[np.float32] = torch.nn.functional.normalize(torch.from_numpy(rows), dim=-1).numpy()
    return unit
