"""The few-shot probe: the linear probe on a handful of labelled images a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.probes.linear import linear_probe

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


def choose_shots(labels: Int64, shots: int, seed: int) -> Int64:
    """Positions of `shots` images of each class that occurs in `labels`, ascending; seeded.

    Raises:
        ValueError: a class has fewer.
    """
    chosen = []
    for c in np.unique(labels).tolist():
        of_class = np.flatnonzero(labels == c)
        if len(of_class) < shots:
            raise ValueError(f"class {c} has {len(of_class)} images to choose from, fewer than {shots} shots")
        chosen.append(np.random.default_rng((seed, c)).permutation(of_class)[:shots])
    return np.sort(np.concatenate(chosen))


def few_shot_probe(
    train_features: Float32,
    train_labels: Int64,
    test_features: Float32,
    *,
    shots: int,
    strength: float = 0.1,
    seed: int = 0,
) -> Int64:
    """:func:`linear_probe` on `shots` images of each class.

    Returns:
        (M,) predicted classes.

    Raises:
        ValueError: a class has fewer images than `shots`.
    """
    chosen = choose_shots(train_labels, shots, seed)
    return linear_probe(train_features[chosen], train_labels[chosen], test_features, strength=strength)
