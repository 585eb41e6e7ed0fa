"""Why a difference between settings gets no verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from api.compare.data import DATA
from api.compare.runs import Run
from colt_core.data.warnings import DataWarning
from store.models import Job

Pair = tuple[Run, Run]

_MEANING = {
    "several_settings": "These jobs differ from the baseline in more than one setting. A difference need not come "
    "from one of them",
    "different_steps": "These jobs took more or fewer optimiser steps than the baseline. A difference may come from "
    "longer training",
    "different_probes": "The probes of these jobs have other settings than the baseline's",
    "missing_results": "These jobs have no result of this probe, so they are in no pair",
    "repeated_runs": "These jobs repeat the setting and the seed of an earlier one. Only the first counts",
}


def doubts(differs: Sequence[str], pairs: Sequence[Pair]) -> Iterator[tuple[str, str]]:
    """(code, sentence) for each reason against a verdict.

    Args:
        differs: what the setting differs in from the baseline.
        pairs: a run and its baseline, for each seed.
    """
    data = [name for name in differs if name in DATA]
    settings = [name for name in differs if name not in DATA]
    if data:
        yield "different_data", f"They differ in their data: {', '.join(data)}."
    if len(settings) > 1:
        yield "several_settings", f"They differ in more than one setting: {', '.join(settings)}."
    if not differs:
        yield "seed_alone", "They differ by their seed alone, so what separates them is chance."
    unequal = [(run.steps, base.steps) for run, base in pairs if run.steps != base.steps]
    if unequal:
        steps, base_steps = ("an unknown number" if number is None else f"{number}" for number in unequal[0])
        yield "different_steps", f"They took {steps} optimiser steps, the baseline {base_steps}."
    probes = sorted({name for pair in pairs for name in _unlike(*(run.evaluation.config for run in pair))})
    if probes:
        yield "different_probes", f"Their probes differ in {', '.join(probes)}."


def told(concerned: Mapping[str, Sequence[Job]]) -> list[DataWarning]:
    """A warning for each code that has jobs."""
    return [
        DataWarning(code, detail, len(jobs), tuple(job.name for job in jobs))
        for code, detail in _MEANING.items()
        if (jobs := concerned.get(code))
    ]


def _unlike(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
