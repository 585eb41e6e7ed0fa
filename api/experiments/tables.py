"""Results as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from api.experiments.result_schemas import ResultRow, Results
from api.experiments.results import CLASS, GROUPS
from api.markdown import one_line, plain, table

TITLES = {"all": "All", "many": "Many", "medium": "Medium", "few": "Few", "std": "Std"}


def as_csv(found: Results) -> str:
    """One line for each row, as shares of 1. An empty field is a value that is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("arm", "metric", "n", "mean", "sd", "pairs", "difference", "low", "high", "no_interval", "verdict")
    )
    for row in found.rows:
        low, high = row.interval or (None, None)
        numbers = (row.n, row.mean, row.sd, row.pairs, row.difference, low, high)
        writer.writerow((row.arm, row.metric, *numbers, row.no_interval, row.verdict))
    return text.getvalue()


def as_markdown(found: Results) -> str:
    """Two tables in points: the arms' means, and their differences to the baseline."""
    parts = [
        f"Means in points, ± standard deviation over the runs. Evaluation: {found.evaluation}.",
        table(*_means(found, plain, "±", "–")),
        f"Differences to {plain(found.baseline)} in points, over pairs of runs with the same data set and seed.",
        table(*_differences(found, plain, "–")),
    ]
    told = [
        *(f"- {plain(warning.detail)}" for warning in found.warnings),
        *(f"- Missing: {plain(line)}" for line in _missing(found)),
    ]
    return "\n\n".join([*parts, *(["\n".join(told)] if told else [])]) + "\n"


def as_latex(found: Results) -> str:
    """The same as two `tabular`s, for the package booktabs."""
    heads, rows = _means(found, _latex, r"$\pm$", "--")
    differences, lines = _differences(found, _latex, "--")
    told = [*(warning.detail for warning in found.warnings), *(f"Missing: {line}" for line in _missing(found))]
    return "".join(
        [
            f"% Means in points over n runs. Evaluation: {one_line(found.evaluation)}.\n",
            _latex_table(heads, rows),
            f"% Differences to {one_line(found.baseline)} in points, with 95 % t intervals over pairs of runs.\n",
            _latex_table(differences, lines),
            *(f"% {one_line(line)}\n" for line in told),
        ]
    )


def _means(found: Results, text: Callable[[str], str], sign: str, nothing: str) -> tuple[list[str], list[list[str]]]:
    """Heads and lines: one line for each arm, with a column for each group.

    Args:
        text: escapes text that is shown.
        sign: before a standard deviation.
        nothing: where there is no value.
    """
    by_arm: dict[str, dict[str, ResultRow]] = {}
    for row in found.rows:
        by_arm.setdefault(row.arm, {})[row.metric] = row

    def cell(row: ResultRow) -> str:
        if row.mean is None:
            return nothing
        return f"{100 * row.mean:.2f}" + ("" if row.sd is None else f" {sign} {100 * row.sd:.2f}")

    lines = [
        [text(arm), str(rows["all"].n), *(cell(rows[metric]) for metric in GROUPS)] for arm, rows in by_arm.items()
    ]
    return ["arm", "n", *TITLES.values()], lines


def _differences(found: Results, text: Callable[[str], str], nothing: str) -> tuple[list[str], list[list[str]]]:
    """Heads and lines: one line for each arm and metric, but those of the baseline."""

    def line(row: ResultRow) -> list[str]:
        title = TITLES.get(row.metric) or f"class {row.metric.removeprefix(CLASS)}"
        difference = nothing if row.difference is None else f"{100 * row.difference:+.2f}"
        interval = row.no_interval or nothing
        if row.interval is not None:
            interval = f"[{100 * row.interval[0]:+.2f}, {100 * row.interval[1]:+.2f}]"
        return [text(row.arm), text(title), str(row.pairs), difference, interval, row.verdict or nothing]

    heads = ["arm", "metric", "pairs", "difference", "95 % interval", "verdict"]
    return list(map(text, heads)), [line(row) for row in found.rows if row.arm != found.baseline]


def _missing(found: Results) -> list[str]:
    return [
        f"'{entry.arm}', data set {entry.dataset_id}, {_seed(entry.seed)}: {entry.why}"
        + ("" if entry.metrics is None else f": {', '.join(entry.metrics)}")
        for entry in found.missing
    ]


def _seed(seed: int | None) -> str:
    return "every seed" if seed is None else f"seed {seed}"


def _latex_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first, *others = [f"{' & '.join(line)} \\\\\n" for line in (heads, *rows)]
    columns, body = "l" * len(heads), "".join(others)
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{first}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%#_{}$"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",  # at the beginning of a line, it would be an option of the end of the line before
}


def _latex(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))
