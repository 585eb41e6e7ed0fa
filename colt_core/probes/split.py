"""Splits a data set into images that a probe learns from and validates on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import Labelled

Int64 = NDArray[np.int64]


def probe_split(dataset: Labelled, seed: int) -> tuple[Int64, Int64]:
    """(learn, validate) indices into the data set.

    With a val part they are the probe part and the val part. Without one, a fifth of each class's
    probe images validates, seeded. A class of one probe image only learns.
    """
    probe, val = dataset.parts["probe"], dataset.parts["val"]
    if len(val):
        return probe, val
    labels = dataset.labels[probe]
    aside = [np.empty(0, dtype=np.int64)]
    for c in range(dataset.num_classes):
        of_class = probe[labels == c]
        aside.append(np.random.default_rng((seed, c)).permutation(of_class)[: held_out(len(of_class))])
    held = np.sort(np.concatenate(aside))
    return np.setdiff1d(probe, held), held


def held_out(of_class: int) -> int:
    """Probe images of a class to validate on if there is no val part: a fifth."""
    return 0 if of_class < 2 else max(1, round(of_class / 5))


def choose_shots(labels: Int64, shots: int, seed: int) -> Int64:
    """Seeded positions of `shots` images of each class in `labels`, ascending.

    A class with fewer images gives all that it has.
    """
    chosen = [
        np.random.default_rng((seed, c)).permutation(np.flatnonzero(labels == c))[:shots]
        for c in np.unique(labels).tolist()
    ]
    return np.sort(np.concatenate(chosen))
