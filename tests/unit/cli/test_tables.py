"""The demo's tables."""

from __future__ import annotations

from typing import Any

from cli.tables import comparison_table, percent, tail_table

DATASET = {
    "class_names": ["zero", "one", "two"],
    "class_counts": [5, 100, 20],
    "groups": {"many": [1], "medium": [2], "few": [0]},
}


def evaluation(zero: float, one: float, two: float) -> dict[str, Any]:
    return {
        "per_class_accuracy": [zero, one, two],
        "group_accuracy": {"many": one, "medium": two, "few": zero},
        "accuracy": 0.9,  # over all images, unlike the mean over the classes
        "balanced_accuracy": (zero + one + two) / 3,
        "group_std": 0.1,
    }


def test_both_results_stand_side_by_side_by_training_count() -> None:
    table = comparison_table(DATASET, {"SimCLR": evaluation(0.25, 1.0, 0.5), "COLT": evaluation(0.5, 0.75, 0.5)})
    rows = [line.split() for line in table.splitlines() if not line.startswith("-")]
    assert rows == [
        ["class", "group", "training", "images", "SimCLR", "COLT"],
        ["one", "many", "100", "100.0", "75.0"],
        ["two", "medium", "20", "50.0", "50.0"],
        ["zero", "few", "5", "25.0", "50.0"],
        ["Many", "100.0", "75.0"],
        ["Medium", "50.0", "50.0"],
        ["Few", "25.0", "50.0"],
        ["All", "58.3", "58.3"],
        ["Std", "10.0", "10.0"],
    ]


def test_the_columns_are_in_line() -> None:
    table = comparison_table(DATASET, {"SimCLR": evaluation(0.25, 1.0, 0.5)})
    assert len({len(line) for line in table.splitlines()}) == 1


def test_a_group_without_classes_has_a_dash() -> None:
    assert percent(None) == "-"
    assert percent(0.0) == "0.0"


def test_the_tail_table_shows_what_was_picked() -> None:
    samples = [
        {"index": 7, "tailness": -0.25, "cluster": 3, "similarity": 0.5, "selected": True},
        {"index": 11, "tailness": -0.5, "cluster": 0, "similarity": 0.25, "selected": False},
    ]
    rows = [line.split() for line in tail_table(samples).splitlines()[2:]]
    assert rows == [["7", "-0.2500", "3", "0.500", "yes"], ["11", "-0.5000", "0", "0.250", "no"]]
