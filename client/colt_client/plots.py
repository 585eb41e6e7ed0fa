"""Plots with matplotlib. In a notebook they show themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from colt_client.frames import needed
from colt_client.models import Curve, EvaluationInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_accuracy(
    evaluations: Mapping[str, EvaluationInfo], class_names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Accuracy of each class, from the class with the most training images to that with the fewest.

    Args:
        evaluations: by the label that the plot gives them. All of the same classes.
        class_names: by class; None for their numbers.

    Raises:
        ValueError: an evaluation has no result, or has other classes than the first.
    """
    counts: list[int] | None = None
    for label, evaluation in evaluations.items():
        if evaluation.per_class_accuracy is None or evaluation.class_counts is None:
            raise ValueError(f"the evaluation of {label} has no result: its status is {evaluation.status}")
        counts = counts or evaluation.class_counts
        if len(evaluation.class_counts) != len(counts):
            raise ValueError(f"{label} has {len(evaluation.class_counts)} classes, others have {len(counts)}")
    if counts is None:
        raise ValueError("there is no evaluation to plot")
    ax = _axes(ax)
    order = sorted(range(len(counts)), key=lambda label: -counts[label])
    for label, evaluation in evaluations.items():
        accuracies = evaluation.per_class_accuracy or []
        values = [float("nan") if (value := accuracies[index]) is None else 100 * value for index in order]
        ax.plot(range(len(order)), values, marker="o", label=label)
    if len(order) <= 30:
        names = [class_names[index] if class_names else str(index) for index in order]
        ax.set_xticks(range(len(order)), [f"{name}\n{counts[index]}" for name, index in zip(names, order, strict=True)])
    ax.set(xlabel="class, with its training images", ylabel="accuracy, %", ylim=(0, 100))
    ax.legend()
    return ax


def plot_curves(curves: Mapping[str, Curve], ax: Axes | None = None) -> Axes:
    """Curves over steps.

    Args:
        curves: by the label that the plot gives them.
    """
    ax = _axes(ax)
    for label, curve in curves.items():
        ax.plot(curve.step, curve.value, label=label)
    ax.set(xlabel="step")
    ax.legend()
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    new: Axes = needed("matplotlib.pyplot", "plots").subplots(layout="constrained")[1]
    return new
