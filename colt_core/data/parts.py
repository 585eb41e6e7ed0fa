"""Which source images become the train, probe, val and test part of a data set."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.long_tail import cut
from colt_core.data.sources import LabelledSource
from colt_core.data.spec import DatasetSpec

Int64 = NDArray[np.int64]

_TEST, _PROBE = 11, 12  # each purpose has its own random stream from the same seed


def choose_parts(source: LabelledSource, spec: DatasetSpec) -> dict[str, Int64]:
    """Source positions of each part: `train`, `probe`, `test`, and `val` if the source has one.

    Train, val and test share no image. The probe part may share images with train; see
    :func:`probe_part`. If a list names the training images, the test part is cut from the others.
    The long tail is then cut from those listed.

    Raises:
        DataError: if the data are too few for the requested parts or cut.
    """
    labels, candidates = source.labels, source.parts["train"]
    parts: dict[str, Int64] = {name: source.parts[name] for name in ("val", "test") if name in source.parts}
    if spec.test == "none":
        parts["test"] = np.empty(0, dtype=np.int64)
    elif "test" not in parts:
        free = candidates if source.listed is None else np.setdiff1d(candidates, source.listed)
        parts["test"] = stratified(labels, free, spec.test_fraction, (spec.seed, _TEST), source.class_names)
        candidates = np.setdiff1d(candidates, parts["test"])
    train = candidates if source.listed is None else source.listed
    if spec.long_tail is not None:
        train = train[cut(labels[train], source.class_names, spec.long_tail)]
    probe = probe_part(labels, candidates, train, spec.seed)
    return {"train": train, "probe": probe, **parts}


def stratified(
    labels: Int64, positions: Int64, fraction: float, seed: tuple[int, ...], class_names: tuple[str, ...]
) -> Int64:
    """A seeded share of each class among `positions`, ascending.

    At least one image of each class is taken, and at least one is left.

    Raises:
        DataError: if a class has fewer than two images.
    """
    taken = []
    for c, name in enumerate(class_names):
        of_class = positions[labels[positions] == c]
        if len(of_class) < 2:
            raise DataError(f"class {name!r} has {len(of_class)} image; a test part needs at least two")
        count = min(max(1, round(fraction * len(of_class))), len(of_class) - 1)
        taken.append(np.random.default_rng((*seed, c)).permutation(of_class)[:count])
    return np.sort(np.concatenate(taken))


def probe_part(labels: Int64, candidates: Int64, train: Int64, seed: int) -> Int64:
    """The balanced part that probes learn from: P images of each class.

    The images are those that the long-tail cut left over. P is the smallest number of leftovers of
    any class. It is at least min(n, max(50, n / 10)), where n is the size of the rarest class
    before the cut. A class with fewer leftovers adds images of its own training part: pretraining
    does not see labels.

    Args:
        labels: (N,) of the whole source.
        candidates: positions of the training part before the cut.
        train: the candidates that the cut kept.

    Returns:
        Positions, ascending; P of each class.
    """
    left = np.setdiff1d(candidates, train)
    num_classes = int(labels.max()) + 1
    rarest = int(np.bincount(labels[candidates], minlength=num_classes).min())
    fewest_left = int(np.bincount(labels[left], minlength=num_classes).min())
    per_class = max(fewest_left, min(rarest, max(50, math.ceil(rarest / 10))))
    chosen = []
    for c in range(num_classes):
        draw = np.random.default_rng((seed, _PROBE, c))
        leftovers = draw.permutation(left[labels[left] == c])
        trained_on = draw.permutation(train[labels[train] == c])
        chosen.append(np.concatenate([leftovers, trained_on])[:per_class])
    return np.sort(np.concatenate(chosen))
