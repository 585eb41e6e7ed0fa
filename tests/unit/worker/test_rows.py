"""Rows of runs on images without labels."""

from __future__ import annotations

import numpy as np

from colt_core.events import Cluster, EpochDone, RoundDone
from worker.rows import round_row, tailness_row


def test_without_labels_rows_hold_scores_and_no_classes() -> None:
    scores = np.array([-0.5, -0.25], dtype=np.float32)
    row = tailness_row("j", EpochDone(1, 3, 2.5, scores, 2, 1.0, {}), None, 0)
    assert row.class_means == [] and np.frombuffer(row.scores, "<f4").tolist() == [-0.5, -0.25]
    ids = np.array([0, 1])
    near = (ids[np.newaxis], scores[np.newaxis])
    picked = RoundDone(1, 2, 3, (Cluster(1, -0.5, 0.5, 1),) * 2, ids, ids[:1], scores, ids, scores, *near, 2, 0.5)
    assert [cluster["class_counts"] for cluster in round_row("j", picked, None, 0, ids[:0]).clusters] == [None, None]
