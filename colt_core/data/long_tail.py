"""Cuts a long-tailed training part: how many images each class keeps, and which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.npz import is_npy, read_npy
from colt_core.data.spec import MAX_INDICES, LongTail

Int64 = NDArray[np.int64]

# Liu et al. 2019 describe ImageNet-LT as Pareto with power value 6. In the rank form below, 6 gives
# 17,115 images for ImageNet-100-LT and 3 gives 12,161. The published split has about 12,210, so 3
# is used. For all of ImageNet-LT 3 gives 116,711 images; the published split has 115,800.
PARETO_POWER = 3

_CLASS_ORDER, _IMAGES_OF_CLASS = 1, 2  # each purpose has its own random stream from the same seed


def rank_counts(profile: str, num_classes: int, max_per_class: int, imbalance_ratio: float) -> list[int]:
    """Images that each class keeps, by rank; rank 0 is the head.

    With n_max = `max_per_class`, IR = `imbalance_ratio` and t = rank / (C - 1):

    - `exp`: floor(n_max * IR^-t) (Cui et al. 2019).
    - `step`: n_max for the first half of the classes, the middle one included, and floor(n_max /
      IR) for the rest (Buda et al. 2018).
    - `pareto`: floor(n_max * (1 + t * (IR^(1/a) - 1))^-a) with a = PARETO_POWER.
    - `balanced`: the total of `exp` in equal classes. The first classes share the remainder.

    Raises:
        ValueError: for an unknown profile, or fewer than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"a long tail needs at least two classes, got {num_classes}")
    shares = [rank / (num_classes - 1) for rank in range(num_classes)]
    if profile == "exp":
        return [_floor(max_per_class * imbalance_ratio**-share) for share in shares]
    if profile == "step":
        head = num_classes - num_classes // 2
        return [max_per_class] * head + [_floor(max_per_class / imbalance_ratio)] * (num_classes - head)
    if profile == "pareto":
        steepness = imbalance_ratio ** (1 / PARETO_POWER) - 1
        return [_floor(max_per_class * (1 + share * steepness) ** -PARETO_POWER) for share in shares]
    if profile == "balanced":
        each, left = divmod(sum(rank_counts("exp", num_classes, max_per_class, imbalance_ratio)), num_classes)
        return [each + (rank < left) for rank in range(num_classes)]
    raise ValueError(f"unknown long-tail profile {profile!r}")


def cut(labels: Int64, class_names: Sequence[str], long_tail: LongTail) -> Int64:
    """Choose the training images that a long-tail profile keeps.

    The choice within a class is a function of (seed, class). A steeper cut with the same seed keeps
    a subset.

    Args:
        labels: (N,) labels of the whole training part, in which every class is present.
        long_tail: the profile. Uploaded indices must have been read into `indices` already, by
            :func:`read_indices`.

    Returns:
        (n,) int64 positions that are kept, ascending.

    Raises:
        DataError: if a class has fewer images than it should keep, or would keep none, or the
            indices are wrong.
        ValueError: if the profile is `indices` and there are none.
    """
    if long_tail.profile == "indices":
        if long_tail.indices is None:
            raise ValueError("the uploaded indices must be read into `indices` first; see read_indices")
        return _checked_indices(np.array(long_tail.indices, dtype=np.int64), labels, class_names)
    available = np.bincount(labels, minlength=len(class_names))
    max_per_class = long_tail.max_per_class or int(available.min())
    by_rank = rank_counts(long_tail.profile, len(class_names), max_per_class, long_tail.imbalance_ratio)
    order = np.arange(len(class_names))
    if long_tail.order == "random":
        order = np.random.default_rng((long_tail.seed, _CLASS_ORDER)).permutation(len(class_names))
    kept = []
    for count, c in zip(by_rank, order.tolist(), strict=True):
        if count > available[c]:
            raise DataError(
                f"class {class_names[c]!r} has {available[c]} training images, but the cut keeps {count}; lower "
                f"max_per_class ({max_per_class})"
            )
        if count < 1:
            raise DataError(
                f"class {class_names[c]!r} would keep no image; lower imbalance_ratio "
                f"({long_tail.imbalance_ratio:g}) or raise max_per_class ({max_per_class})"
            )
        of_class = np.flatnonzero(labels == c)
        kept.append(np.random.default_rng((long_tail.seed, _IMAGES_OF_CLASS, c)).permutation(of_class)[:count])
    return np.sort(np.concatenate(kept))


def read_indices(path: Path, limits: Limits | None = None) -> tuple[int, ...]:
    """Read training positions from an .npy (1-D integers) or a .txt (one number a line).

    :mod:`colt_core.data.lists` reads a text of `PATH LABEL` lines.

    Raises:
        DataError: if the file is neither, or does not hold integers.
    """
    limits = limits or Limits()
    if is_npy(path):
        array = read_npy(path, limits)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DataError(
                f"indices must be integers in one dimension; these are {array.dtype} of shape {array.shape}"
            )
        return _in_range(tuple(array.tolist()))
    if path.stat().st_size > limits.max_file_bytes:
        raise DataError(f"the list of indices is larger than {limits.max_file_bytes:,} bytes")
    try:
        return _in_range(tuple(int(word) for word in path.read_text("utf-8").split()))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            "indices must be an .npy of integers, a text of one whole number a line, or one of PATH LABEL a line"
        ) from error


def _in_range(indices: tuple[int, ...]) -> tuple[int, ...]:
    for index in indices:
        if not 0 <= index < MAX_INDICES:
            raise DataError(f"{str(index)[:20]} is not an index of a training image; indices count from 0")
    return indices


def repeated(indices: Sequence[int]) -> int | None:
    """An index that is listed more than once. None: all are listed once."""
    if len(set(indices)) == len(indices):
        return None
    seen: set[int] = set()
    for index in indices:
        if index in seen:
            break
        seen.add(index)
    return index


def _checked_indices(indices: Int64, labels: Int64, class_names: Sequence[str]) -> Int64:
    kept = np.unique(indices)
    if len(kept) != len(indices):
        raise DataError(f"index {repeated(indices.tolist())} is listed twice; list each training image once")
    if len(kept) and (kept[0] < 0 or kept[-1] >= len(labels)):
        bad = kept[0] if kept[0] < 0 else kept[-1]
        raise DataError(f"index {bad} is outside the training part (0..{len(labels) - 1})")
    if (missing := np.flatnonzero(np.bincount(labels[kept], minlength=len(class_names)) == 0)).size:
        raise DataError(f"the indices keep no image of class {class_names[missing[0]]!r}; every class needs one")
    return kept


def _floor(value: float) -> int:
    # 100 * 10 ** -1.0 may be computed as 9.999999999999998, but 10 is meant.
    return math.floor(value * (1 + 1e-12))
