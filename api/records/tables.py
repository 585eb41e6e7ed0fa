"""The rows of a record's tables. Long ones are read block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from api.evaluations.schemas import EvaluationInfo
from colt_core.data.groups import class_groups
from colt_core.probes.kinds import ProbeSettings
from store.database import reading
from store.repositories import metrics, rounds

Row = Sequence[str | float | None]

_POINTS = 10_000  # that are read at once
CURVES = (
    "`loss`, `contrastive_loss`, `distribution_loss` and `learning_rate` have a point for each step, `epoch_loss` and "
    "the times one for each epoch, `evaluation_seconds` one at the end."
)
METRICS = {
    "metric": "Name of the curve.",
    "unit": "`nat` of losses, `s` of times, `1` of the learning rate. Empty: of a kind that was added.",
    "step": "Finished optimiser steps.",
    "value": "In this unit. Empty: no finite number.",
}
BY_CLASS = {
    "evaluation_id": "As `id` in `evaluations.json`.",
    "kind": "Of the probe.",
    "epoch": "Finished epochs in the checkpoint.",
    "class": "Index of the class.",
    "class_name": "",
    "group": "`many`, `medium` or `few`, by training images.",
    "train_images": "Training images of the class.",
    "test_images": "Test images of the class.",
    "accuracy": "Share of the test images, 0..1. Empty: it has none.",
}
PICKS = {
    "round": "Number of the sampling round.",
    "index": "Of the image in the pool.",
    "cluster": "The cluster, by its place in the round's `clusters` from 0, whose centre is nearest.",
    "tailness": "Of the image in this round. Larger is nearer to the tail. Empty: the round's scores were dropped.",
    "similarity": "Cosine to that centre.",
}


def metrics_of(job_id: str) -> Iterator[Row]:
    """Rows of `METRICS`."""
    with reading() as session:
        names = metrics.names(session, job_id)
    for name in names:
        step = -1
        while True:
            with reading() as session:
                points = metrics.points_after(session, job_id, name, step, _POINTS)
            yield from ((name, _unit(name), at, value) for at, value in points)
            if len(points) < _POINTS:
                break
            step = points[-1][0]


def by_class(evaluations: Iterable[EvaluationInfo], class_names: Sequence[str]) -> Iterator[Row]:
    """Rows of `BY_CLASS`."""
    for found in evaluations:
        if not found.per_class_accuracy or not found.class_counts:
            continue
        thresholds = ProbeSettings.from_stored(found.config).group_thresholds
        group = {index: name for name, of in class_groups(found.class_counts, thresholds).items() for index in of}
        for index, accuracy in enumerate(found.per_class_accuracy):
            name = class_names[index] if index < len(class_names) else None
            images = found.class_counts[index], found.test_counts[index] if found.test_counts else None
            yield (found.id, found.kind, found.epoch, index, name, group[index], *images, accuracy)


def picks_of(job_id: str) -> Iterator[Row]:
    """Rows of `PICKS`, by round and index."""
    with reading() as session:
        last = rounds.last(session, job_id) or 0
    for number in range(1, last + 1):
        with reading() as session:
            try:
                scores = rounds.pool_scores(session, job_id, number)
            except rounds.ScoresDropped:  # the picks alone are left
                left = rounds.picked(session, job_id, number)
                yield from ((number, int(index), None, None, None) for index in ([] if left is None else left))
                continue
        for block in () if scores is None else scores.blocks("cluster", "tailness", "similarity"):
            index = np.flatnonzero(block.selected)
            columns = (block.start + index, *(column[index] for column in block.columns.values()))
            yield from zip([number] * len(index), *(column.tolist() for column in columns), strict=True)


def _unit(name: str) -> str:
    if name.endswith("_seconds"):
        return "s"
    if name.endswith("loss"):
        return "nat"
    return "1" if name == "learning_rate" else ""
