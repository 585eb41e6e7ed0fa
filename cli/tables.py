"""The tables that `colt demo` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

Json = Mapping[str, Any]
GROUPS = ("many", "medium", "few")


def comparison_table(dataset: Json, results: Mapping[str, Json]) -> str:
    """Accuracy in per cent by class, group means, the overall mean, and the groups' Std.

    Classes with more training images come first.

    Args:
        dataset: has `class_names`, `class_counts` (training part) and `groups`.
        results: by column title, an evaluation with `per_class_accuracy`, `group_accuracy`,
            `balanced_accuracy`, `group_std`.
    """
    counts = dataset["class_counts"]
    group_of = {label: group for group in GROUPS for label in dataset["groups"][group]}
    by_count = sorted(range(len(counts)), key=lambda label: (-counts[label], label))

    header = ["class", "group", "training images", *results]
    classes = [
        [
            str(dataset["class_names"][label]),
            group_of.get(label, ""),
            str(counts[label]),
            *(percent(result["per_class_accuracy"][label]) for result in results.values()),
        ]
        for label in by_count
    ]
    groups = [
        [group.capitalize(), "", "", *(percent(result["group_accuracy"][group]) for result in results.values())]
        for group in GROUPS
    ]
    totals = [
        ["All", "", "", *(percent(result["balanced_accuracy"]) for result in results.values())],
        ["Std", "", "", *(percent(result["group_std"]) for result in results.values())],
    ]
    return render(header, classes, groups, totals)


def tail_table(samples: Sequence[Json]) -> str:
    """A table of OOD samples from the tailness endpoint."""
    rows = [
        [
            str(sample["index"]),
            f"{sample['tailness']:.4f}",
            str(sample["cluster"]),
            f"{sample['similarity']:.3f}",
            "yes" if sample["selected"] else "no",
        ]
        for sample in samples
    ]
    return render(["pool index", "tailness", "cluster", "similarity", "selected"], rows)


def percent(share: float | None) -> str:
    """A share in per cent; a dash for None, such as for a group without classes."""
    return "-" if share is None else f"{100 * share:.1f}"


def render(header: Sequence[str], *blocks: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, others to the right, a rule before each block."""
    rows = [header, *chain.from_iterable(blocks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(header)]
    for block in blocks:
        lines += [rule, *(line(row) for row in block)]
    return "\n".join(lines)
