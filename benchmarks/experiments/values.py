"""The raw values of an experiment's runs as CSV, and tables computed from them.

A protocol that takes many hours may be run some seeds at a time, also by several services. Their
values meet in one file, and its tables are those of all:

    python -m benchmarks.experiments.values results/small-data.csv --baseline "none, matched"
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Self

from colt_client.models import Results
from colt_core.paired import PairedComparison, paired_comparison, summary

METRICS = {"all": "All", "many": "Many", "medium": "Medium", "few": "Few", "std": "Std"}
Key = tuple[str, str]  # what makes a pair: data set and seed


@dataclass(frozen=True, slots=True)
class Value:
    """One metric of one run, as a line of the file. Runs with the same data set and seed make a
    pair. An empty field is not known."""

    evaluation: str
    arm: str
    dataset: str
    seed: str
    steps: str
    metric: str
    value: str

    @classmethod
    def all_of(cls, results: Iterable[Results]) -> list[Self]:
        """Those of some evaluations of an experiment."""
        return [
            cls(found.evaluation, pair.arm, pair.dataset, *map(_text, (pair.seed, pair.steps)), metric, _text(value))
            for found in results
            for pair in found.pairs
            for metric, value in pair.values.items()
        ]

    @property
    def place(self) -> tuple[str, ...]:
        return self.evaluation, self.arm, self.dataset, self.seed, self.metric


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def read(path: Path) -> list[Value]:
    """The lines of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Value(**line) for line in csv.DictReader(file)]


def write(path: Path, values: Iterable[Value]) -> None:
    """Write values. Those of other runs that the file has already stay in it."""
    found = {value.place: value for value in values}
    for value in read(path) if path.exists() else ():
        found.setdefault(value.place, value)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Value))
        writer.writerows(astuple(value) for value in found.values())


def markdown(values: Iterable[Value], baseline: str, evaluation: str) -> str:
    """Means of each arm, and its paired differences to the baseline with 95 % t intervals, in
    points.

    Raises:
        ValueError: no value is of the baseline.
    """
    by_arm: dict[str, dict[str, dict[Key, float | None]]] = {}
    for value in values:
        if value.evaluation == evaluation and value.metric in METRICS:
            of_metric = by_arm.setdefault(value.arm, {}).setdefault(value.metric, {})
            of_metric[value.dataset, value.seed] = float(value.value) if value.value else None
    if baseline not in by_arm:
        raise ValueError(f"no value is of '{baseline}', but of {', '.join(by_arm)}")
    lines = [f"| arm | n | {' | '.join(METRICS.values())} |", f"|{'---|' * (2 + len(METRICS))}"]
    for arm, found in by_arm.items():
        means = [summary(found.get(metric, {})) for metric in METRICS]
        lines.append(f"| {arm} | {means[0].n} | {' | '.join(_points(one.mean) for one in means)} |")
    lines += [
        "",
        f"Differences to {baseline}:",
        "",
        "| arm | metric | pairs | difference | 95 % interval | verdict |",
        f"|{'---|' * 6}",
    ]
    for arm, found in by_arm.items():
        for metric, title in METRICS.items() if arm != baseline else ():
            compared = paired_comparison(found.get(metric, {}), by_arm[baseline].get(metric, {}))
            lines.append(f"| {arm} | {title} | {compared.n} | {_points(compared.mean, '+')} | {_told(compared)} |")
    return "\n".join(lines) + "\n"


def _told(compared: PairedComparison[Key]) -> str:
    if compared.interval is None:
        return f"{compared.no_interval} | {compared.verdict or ''}"
    low, high = compared.interval
    return f"{_points(low, '+')} to {_points(high, '+')} | {compared.verdict}"


def _points(share: float | None, sign: str = "") -> str:
    return "" if share is None else f"{100 * share:{sign}.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.values", description=markdown.__doc__)
    parser.add_argument("file", type=Path, help="raw values, as `python -m benchmarks.experiments` writes them")
    parser.add_argument("--baseline", required=True, help="name of an arm")
    parser.add_argument("--evaluation", default="linear", help="kind of probe; default: linear")
    asked = parser.parse_args()
    print(markdown(read(asked.file), asked.baseline, asked.evaluation), end="")


if __name__ == "__main__":
    main()
