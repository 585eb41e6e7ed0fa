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
    The long tail is then cut from those listed. A class of a single image is in train alone.

    Raises:
        DataError: if the data are too few for the requested parts or cut.
    """
    labels, candidates = source.labels, source.parts["train"]
    parts: dict[str, Int64] = {name: source.parts[name] for name in ("val", "test") if name in source.parts}
    given = np.concatenate([candidates, *parts.values()])
    single = np.flatnonzero(np.bincount(labels[given], minlength=len(source.class_names)) == 1)
    if spec.test == "none":
        parts["test"] = np.empty(0, dtype=np.int64)
    elif "test" not in parts:
        parts["test"] = _cut_test(source, spec)
        candidates = np.setdiff1d(candidates, parts["test"])
    train = candidates if source.listed is None else source.listed
    if spec.long_tail is not None:
        train = train[cut(labels[train], source.class_names, spec.long_tail)]
    probed, probed_train = (positions[~np.isin(labels[positions], single)] for positions in (candidates, train))
    return {"train": train, "probe": probe_part(labels, probed, probed_train, spec.seed), **parts}


def _cut_test(source: LabelledSource, spec: DatasetSpec) -> Int64:
    """Cut the test part from the training images, or from those that a split list leaves out."""
    positions, keep = source.parts["train"], 1
    if source.listed is not None:
        positions, keep = np.setdiff1d(positions, source.listed), 0
    test = stratified(source.labels, positions, spec.test_fraction, (spec.seed, _TEST), keep=keep)
    if len(test) == 0:
        why = "every class has a single image" if source.listed is None else "the list names every image"
        raise DataError(f"{why}, so none is left for a test part; add images, or a test part: test/CLASS/IMAGE")
    return test


def stratified(labels: Int64, positions: Int64, fraction: float, seed: tuple[int, ...], *, keep: int = 1) -> Int64:
    """A seeded share of each class among `positions`, ascending.

    At least one image of a class is taken, but `keep` images are left. A class with no more than
    `keep` gives none.
    """
    taken = [np.empty(0, dtype=np.int64)]
    for c in np.unique(labels[positions]).tolist():
        of_class = positions[labels[positions] == c]
        count = min(max(1, round(fraction * len(of_class))), len(of_class) - keep)
        taken.append(np.random.default_rng((*seed, c)).permutation(of_class)[: max(0, count)])
    return np.sort(np.concatenate(taken))


def probe_part(labels: Int64, candidates: Int64, train: Int64, seed: int) -> Int64:
    """The part that probes learn from: each class gives what it has, up to a target.

    The images are those that the long-tail cut left over. The target is the smallest number of
    leftovers of any class, but at least max(50, n / 10). Here n is the size of the smallest class
    before the cut. Rare classes count in neither of the two: those with fewer than half the images
    of the median class. A class with fewer leftovers than max(50, n / 10) adds images of its own
    training part, since pretraining does not see labels.

    Where no class is rare and each has 50 images, all classes give equally many.

    Args:
        labels: (N,) of the whole source.
        candidates: positions of the training part before the cut.
        train: the candidates that the cut kept.

    Returns:
        Positions, ascending. A class that is not among the candidates has none.
    """
    left = np.setdiff1d(candidates, train)
    num_classes = int(labels.max()) + 1
    sizes, num_left = (np.bincount(labels[part], minlength=num_classes) for part in (candidates, left))
    if not sizes.any():
        return np.empty(0, dtype=np.int64)
    typical = sizes >= np.median(sizes[sizes > 0]) / 2
    least = max(50, math.ceil(sizes[typical].min() / 10))
    target = max(least, int(num_left[typical].min()))
    chosen = []
    for c in range(num_classes):
        draw = np.random.default_rng((seed, _PROBE, c))
        leftovers = draw.permutation(left[labels[left] == c])[:target]
        trained_on = draw.permutation(train[labels[train] == c])
        chosen += [leftovers, trained_on[: max(0, least - len(leftovers))]]
    return np.sort(np.concatenate(chosen))
