"""Many, Medium and Few: classes grouped by their training images (Liu et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from colt_core.numbers import WithNumbers


class GroupThresholds(WithNumbers):
    """Few has fewer than `low` training images, Many more than `high`.

    The defaults are the convention of ImageNet-LT and Places-LT.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int = Field(20, ge=1)
    high: int = Field(100, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} must not be above high {self.high}")
        return self


@dataclass(frozen=True, slots=True)
class ClassGroups:
    """Class indices by group, ascending. Every class is in exactly one; a group may be empty."""

    many: tuple[int, ...]
    medium: tuple[int, ...]
    few: tuple[int, ...]

    def items(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """("many", indices), ("medium", indices), ("few", indices)."""
        yield from (("many", self.many), ("medium", self.medium), ("few", self.few))


def class_groups(class_counts: Sequence[int], thresholds: GroupThresholds | None = None) -> ClassGroups:
    """Group classes by their training counts.

    Without thresholds, classes are ranked by count and cut into thirds; Many takes the remainder.
    CIFAR-10-LT has 4/3/3 classes and CIFAR-100-LT 34/33/33. Equal counts keep the order of the
    class indices. Of two classes, one is Many and one Few. A single class is Many.

    Args:
        class_counts: training images of class 0..C-1.
        thresholds: groups by count instead of by rank.

    Raises:
        ValueError: if there is no class.
    """
    counts = np.asarray(class_counts, dtype=np.int64)
    if counts.ndim != 1 or counts.size == 0:
        raise ValueError(f"class_counts must hold one number for each class, but has the shape {counts.shape}")
    if thresholds is not None:
        low, high = thresholds.low, thresholds.high
        medium = (counts >= low) & (counts <= high)
        return ClassGroups(*(_indices(np.flatnonzero(of)) for of in (counts > high, medium, counts < low)))
    ranked = np.argsort(-counts, kind="stable")
    num_few = counts.size // 3 if counts.size >= 3 else counts.size // 2
    num_medium = counts.size // 3
    num_many = counts.size - num_few - num_medium
    return ClassGroups(*(_indices(of) for of in np.split(ranked, [num_many, num_many + num_medium])))


def _indices(classes: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(sorted(int(c) for c in classes))
