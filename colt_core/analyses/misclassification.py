"""Wrong predictions by class, relative to balanced confusion (COLT, Bai et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import Misclassification, MisclassificationConfig
from colt_core.events import Int64
from colt_core.probes.evaluate import predict
from colt_core.probes.metrics import check_predictions


def analyze(settings: MisclassificationConfig, subject: Analysed) -> Misclassification:
    """The analysis `misclassification`."""
    dataset = subject.dataset
    predictions = predict(
        subject.encoder.backbone,
        dataset,
        settings.probe,
        flip_probability=subject.config.flip_probability,
        precision=subject.config.precision,
    )
    return misclassification_matrix(predictions, dataset.labels[dataset.parts["test"]], dataset.class_counts)


def misclassification_matrix(predictions_N: Int64, labels_N: Int64, class_counts: Sequence[int]) -> Misclassification:
    """Count predictions by (true, predicted) class, and relate wrong ones to balanced confusion.

    Balanced confusion spreads the W wrong predictions evenly over all images and other classes.
    Class i has n_i of the n test images, so W * n_i / n / (C - 1) of them are in each other class.
    On a balanced test set this is W / (C (C - 1)). Values of 1 off the diagonal mean balanced
    confusion. Columns of head classes above 1 mean that head classes attract errors.

    Args:
        predictions_N, labels_N: predicted and true classes of the test images, in 0..C-1.
        class_counts: C training counts, which give the order of the classes, largest first.

    Raises:
        ValueError: if there is no prediction, the numbers of predictions and labels differ, or a
            class is outside 0..C-1.
    """
    num_classes = len(class_counts)
    check_predictions(predictions_N, labels_N, num_classes)
    counts_CC = np.bincount(labels_N * num_classes + predictions_N, minlength=num_classes**2).reshape(num_classes, -1)
    num_wrong = counts_CC.sum() - counts_CC.trace()
    expected_C = num_wrong * counts_CC.sum(axis=1) / labels_N.size / max(1, num_classes - 1)
    normalized = [
        [float(count / expected) if i != j and expected > 0 else None for j, count in enumerate(row)]
        for i, (row, expected) in enumerate(zip(counts_CC, expected_C, strict=True))
    ]
    order: list[int] = np.argsort(-np.asarray(class_counts), kind="stable").tolist()
    return Misclassification(counts=counts_CC.tolist(), normalized=normalized, order=order)
