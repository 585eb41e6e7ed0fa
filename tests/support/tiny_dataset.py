"""A labelled data set around the training images of `tiny_runs`: one class each of Many, Medium and
Few."""

from __future__ import annotations

import numpy as np

from colt_core.data import ImageDataset
from tests.support import tiny_runs

COUNTS = (14, 8, 4)
PER_CLASS = 5  # of the probe and of the test part
LABELS = np.concatenate([np.repeat(range(3), COUNTS), np.tile(range(3), 2 * PER_CLASS)]).astype(np.int64)
EVALUATED = tiny_runs.images(2 * 3 * PER_CLASS, seed=3)
DATA = ImageDataset(
    np.concatenate([tiny_runs.TRAIN, EVALUATED]),
    LABELS,
    ("head", "body", "tail"),
    {"train": np.arange(26), "probe": np.arange(26, 41), "val": np.empty(0, np.int64), "test": np.arange(41, 56)},
)
