"""The runs of a setting by seed, and the numbers that one probe found for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from store.models import Evaluation, Job
from store.repositories import checkpoints

GROUPS = ("many", "medium", "few")
Values = dict[int, float | None]  # by seed
Found = Mapping[str, Mapping[str, Evaluation]]  # by job, by kind of probe


@dataclass(frozen=True, slots=True)
class Run:
    job: Job
    evaluation: Evaluation
    steps: int | None  # optimiser steps of the evaluated checkpoint


@dataclass(frozen=True, slots=True)
class Runs:
    """The jobs of one setting."""

    jobs: Sequence[Job]
    by_seed: Mapping[int, Run]  # those with a result, the first of each seed
    repeated: Sequence[Job]  # later ones of such a seed
    missing: Sequence[Job]  # those without a result


def runs_of(session: Session, jobs: Sequence[Job], found: Found, kind: str | None) -> Runs:
    """The jobs of a setting, with their results of the probe `kind`."""
    results = {job.id: found[job.id][kind] for job in jobs if kind is not None and kind in found[job.id]}
    ids = {job_id: row.checkpoint_id for job_id, row in results.items() if row.checkpoint_id is not None}
    steps = checkpoints.steps(session, list(ids.values()))
    by_seed: dict[int, Run] = {}
    repeated = []
    for job in jobs:
        if (result := results.get(job.id)) is None:
            continue
        seed = PretrainConfig.from_stored(job.config).seed
        if seed in by_seed:
            repeated.append(job)
        else:
            by_seed[seed] = Run(job, result, steps.get(ids[job.id]))
    return Runs(jobs, by_seed, repeated, [job for job in jobs if job.id not in results])


def summary_values(runs: Mapping[int, Run]) -> dict[str, Values]:
    """`all`, `many`, `medium`, `few` and `std` of each run. Each is computed per run: the spread
    of a mean run would be smaller."""
    results = {seed: run.evaluation for seed, run in runs.items()}
    groups = {name: {seed: (row.group_accuracy or {}).get(name) for seed, row in results.items()} for name in GROUPS}
    return {
        "all": {seed: row.balanced_accuracy for seed, row in results.items()},
        **groups,
        "std": {seed: row.group_std for seed, row in results.items()},
    }


def class_values(runs: Mapping[int, Run], names: Sequence[str]) -> dict[str, Values]:
    """`class/NAME` of each run."""
    accuracies = {seed: run.evaluation.per_class_accuracy or [] for seed, run in runs.items()}
    return {
        f"class/{name}": {seed: row[c] if c < len(row) else None for seed, row in accuracies.items()}
        for c, name in enumerate(names)
    }
