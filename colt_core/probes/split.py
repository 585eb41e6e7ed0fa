"""Splits a data set into images that a probe learns from and validates on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset

Int64 = NDArray[np.int64]


def probe_split(dataset: ImageDataset, seed: int) -> tuple[Int64, Int64]:
    """(learn, validate) indices into the data set.

    With a val part they are the probe part and the val part. Without one they are four fifths and
    one fifth of the probe part, by class and seeded. With only one probe image for each class, the
    second is empty.
    """
    probe, val = dataset.parts["probe"], dataset.parts["val"]
    if len(val):
        return probe, val
    labels = dataset.labels[probe]
    count = held_out(len(probe) // dataset.num_classes)
    aside = np.concatenate(
        [np.random.default_rng((seed, c)).permutation(probe[labels == c])[:count] for c in range(dataset.num_classes)]
    )
    return np.setdiff1d(probe, aside), np.sort(aside)


def held_out(per_class: int) -> int:
    """Probe images of a class to validate on if there is no val part: a fifth."""
    return 0 if per_class < 2 else max(1, round(per_class / 5))
