"""Rows for the events of a run. Arrays are packed as little-endian bytes."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.events import EpochDone, RoundDone, RunStarted
from colt_core.version import installed_version
from store.models import MOST_CLASS_COUNTS, SamplingRound, TailnessEpoch

Int64 = NDArray[np.int64]


def compute_column(event: RunStarted) -> dict[str, Any]:
    """The device that the run computes on, the precision, why it was chosen, and which versions of
    programs compute."""
    return {
        "device": event.device,
        "precision": event.precision,
        "reason": event.reason,
        "threads": event.threads,
        "versions": {
            "colt-studio": installed_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def tailness_row(job_id: str, event: EpochDone, labels: Int64 | None, num_classes: int) -> TailnessEpoch:
    """Tailness of the (N,) training images, with its mean for each class in `labels`.

    Without labels there are no means.
    """
    means: list[float | None] = []
    if labels is not None:
        counts = np.bincount(labels, minlength=num_classes)
        sums = np.bincount(labels, weights=event.tailness, minlength=num_classes)
        means = [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]
    return TailnessEpoch(
        job_id=job_id,
        epoch=event.epoch,
        class_means=means,
        scores=event.tailness.astype("<f4").tobytes(),
    )


def round_row(job_id: str, event: RoundDone, labels: Int64 | None, num_classes: int, previous: Int64) -> SamplingRound:
    """A round, with class counts of each cluster and the share of picks from the previous round.

    What it measured of the pool is in a file (worker/round_scores.py).

    Args:
        job_id: the job.
        event: the round.
        labels: (N,) classes of the training images. Without them, there are no class counts,
            nor with more than MOST_CLASS_COUNTS of them.
        num_classes: the number of classes.
        previous: indices that the previous round picked; empty without one.
    """
    of_classes: list[Any] = [None] * len(event.clusters)
    if labels is not None and len(event.clusters) * num_classes <= MOST_CLASS_COUNTS:
        counts = np.zeros((len(event.clusters), num_classes), dtype=np.int64)
        np.add.at(counts, (event.id_cluster, labels), 1)
        of_classes = counts.tolist()
    by_index = np.argsort(event.selected) if len(event.nearest) else None
    return SamplingRound(
        job_id=job_id,
        round=event.round,
        epoch=event.epoch,
        step=event.step,
        clusters=[
            {
                "size": cluster.size,
                "tailness": cluster.tailness,
                "weight": cluster.weight,
                "budget": cluster.budget,
                "class_counts": of_class,
            }
            for cluster, of_class in zip(event.clusters, of_classes, strict=True)
        ],
        num_selected=len(event.selected),
        overlap=float(np.isin(event.selected, previous).mean()) if len(previous) else None,
        num_embedded=event.ood_embedded,
        seconds=event.seconds,
        stop=None if event.stop is None else asdict(event.stop),
        id_cluster=event.id_cluster.astype("<u2").tobytes(),
        nearest=None if by_index is None else event.nearest[by_index].astype("<i4").tobytes(),
        nearest_similarity=None if by_index is None else event.nearest_similarity[by_index].astype("<f2").tobytes(),
    )
