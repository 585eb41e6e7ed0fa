"""Computes the reported numbers from predictions: All, Many, Medium, Few and Std."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colt_core.data.groups import GroupThresholds, class_groups
from colt_core.data.warnings import DataWarning
from colt_core.probes.fitted import ProbeFit

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracies in 0..1.

    An accuracy is None if there is nothing to average: a class without test images, or an empty
    group.

    Attributes:
        accuracy: share of test images with the right prediction.
        balanced_accuracy: mean of the per-class accuracies, the paper's "All". On a balanced test
            set it equals `accuracy`.
        per_class_accuracy: C accuracies.
        group_accuracy: mean of the per-class accuracies of `many`, `medium` and `few`.
        group_std: population standard deviation of the three group accuracies, the paper's "Std".
            None unless all three groups have classes with test images.
        class_counts: C training counts, which define the groups.
        test_counts: C test counts.
        probe: what the probe was fitted on; None if the predictions came from elsewhere.
        warnings: what to know about classes with few images before trusting the numbers.
    """

    accuracy: float
    balanced_accuracy: float
    per_class_accuracy: tuple[float | None, ...]
    group_accuracy: dict[str, float | None]
    group_std: float | None
    class_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    probe: ProbeFit | None = None
    warnings: tuple[DataWarning, ...] = ()


def summarize(
    predictions: Int64, labels: Int64, class_counts: Sequence[int], thresholds: GroupThresholds | None = None
) -> Evaluation:
    """Compute accuracies from predictions.

    Args:
        predictions: (N,) classes in 0..C-1.
        labels: (N,) true classes in 0..C-1.
        class_counts: C training counts.
        thresholds: of the groups; see :func:`colt_core.data.class_groups`.

    Raises:
        ValueError: if there is no prediction, the numbers of predictions and labels differ, or a
            class is outside 0..C-1.
    """
    num_classes = len(class_counts)
    check_predictions(predictions, labels, num_classes)
    right = predictions == labels
    test_counts = np.bincount(labels, minlength=num_classes)
    right_counts = np.bincount(labels[right], minlength=num_classes)
    per_class = tuple(float(r / n) if n else None for r, n in zip(right_counts, test_counts, strict=True))
    groups = group_means(per_class, class_counts, thresholds)
    return Evaluation(
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([value for value in per_class if value is not None])),
        per_class_accuracy=per_class,
        group_accuracy=groups,
        group_std=group_deviation(groups),
        class_counts=tuple(int(count) for count in class_counts),
        test_counts=tuple(int(count) for count in test_counts),
    )


def group_means(
    per_class: Sequence[float | None], class_counts: Sequence[int], thresholds: GroupThresholds | None = None
) -> dict[str, float | None]:
    """Mean accuracy of `many`, `medium` and `few`; None for a group without a measured class."""
    groups = class_groups(class_counts, thresholds)
    return {name: mean_of_known([per_class[c] for c in classes]) for name, classes in groups.items()}


def group_deviation(groups: Mapping[str, float | None]) -> float | None:
    """Population standard deviation of the group means; None unless all are known."""
    means = [mean for mean in groups.values() if mean is not None]
    return float(np.std(means)) if len(means) == len(groups) else None


def check_predictions(predictions: Int64, labels: Int64, num_classes: int) -> None:
    """Check that there is one prediction for each label, and that all are in 0..C-1.

    Raises:
        ValueError: if not, or if there is no prediction.
    """
    if predictions.shape != labels.shape or labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"one prediction for each label is needed, got {predictions.shape} for {labels.shape}")
    for name, classes in (("predictions", predictions), ("labels", labels)):
        if classes.min() < 0 or classes.max() >= num_classes:
            raise ValueError(f"{name} must be in 0..{num_classes - 1}, got {classes.min()}..{classes.max()}")


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
