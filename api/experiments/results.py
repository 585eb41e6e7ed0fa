"""The results of an experiment: rows of means and paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic_core import to_json
from sqlalchemy.orm import Session

from api.compare.data import data_differences, warnings_about
from api.experiments.result_schemas import MissingRun, ResultRow, Results, RunValues
from api.experiments.service import find
from api.http.errors import Unprocessable
from api.http.pages import MOST_BYTES
from colt_core.data.warnings import DataWarning
from colt_core.paired import paired_comparison, summary
from colt_core.probes.kinds import ProbeSettings
from colt_core.refusals import unknown_name
from store.models import Dataset, Evaluation, Job
from store.repositories import experiments, registrations
from store.repositories.backbone_runs import backbone_runs
from store.statuses import WorkStatus

GROUPS = ("all", "many", "medium", "few", "std")
CLASS = "class/"
Pair = tuple[str, int | None]  # data set, seed; None: of a backbone, for every seed


@dataclass(slots=True)
class _Arm:
    """The runs of an arm that have results, by pair."""

    name: str
    is_backbone: bool
    jobs: dict[Pair, Job] = field(default_factory=dict)
    values: dict[Pair, dict[str, float | None]] = field(default_factory=dict)

    def of(self, metric: str) -> dict[Pair, float | None]:
        """The values of a metric, by pair. None: this run has none."""
        return {pair: values.get(metric) for pair, values in self.values.items()}

    def beside(self, other: _Arm, metric: str) -> dict[Pair, float | None]:
        """The same, by the pairs of another arm: a backbone's value is in the pair of every seed.

        Two backbones have one pair for each data set, so that a value does not count twice.
        """
        own = self.of(metric)
        if not self.is_backbone or other.is_backbone:
            return own
        return {pair: own[pair[0], None] for pair in other.values if (pair[0], None) in own}


def results(session: Session, experiment_id: str, evaluation: str | None, baseline: str | None) -> Results:
    """The results of one kind of probe.

    Args:
        evaluation: default: the first of the experiment.
        baseline: name of an arm. Default: the experiment's.

    Raises:
        NotFound: there is no such experiment.
        Unprocessable: it has no such arm.
    """
    experiment = find(session, experiment_id)
    kind, baseline = evaluation or experiment.evaluations[0], baseline or experiment.baseline
    rows = experiments.arms(session, experiment_id)
    arms = [_Arm(row.name, row.backbone_id is not None) for row in rows]
    names = [arm.name for arm in arms]
    if baseline not in names:
        hint = unknown_name("arm", baseline, names)
        raise Unprocessable(("?baseline", f"{hint} The arms are {', '.join(map(repr, names))}"))
    runs = experiments.runs(session, experiment_id)
    datasets = {row_id: registrations.get(session, Dataset, row_id) for row_id in experiment.dataset_ids}
    found = experiments.last_evaluations(session, [run.job.id for run in runs if run.job], kind)
    pairs: list[RunValues] = []
    missing: list[MissingRun] = []

    def add(arm: _Arm, dataset_id: str, seed: int | None, job: Job | None, probe: Evaluation) -> None:
        dataset = datasets[dataset_id]
        values = arm.values[dataset_id, seed] = values_of(probe, None if dataset is None else dataset.class_names)
        pairs.append(
            RunValues(
                arm=arm.name,
                dataset_id=dataset_id,
                dataset="" if dataset is None else dataset.name,
                seed=seed,
                job_id=None if job is None else job.id,
                evaluation_id=probe.id,
                steps=None if job is None else job.steps,
                values=values,
            )
        )

    for run in runs:
        arm, job = arms[run.arm], run.job
        probe = None if job is None else _usual(job, found.get(job.id, ()), kind)
        if job is None or probe is None:
            missing.append(_missing(arm.name, run.dataset_id, run.seed, job, _why(job, kind)))
            continue
        arm.jobs[run.dataset_id, run.seed] = job
        add(arm, run.dataset_id, run.seed, job, probe)
    for untrained in backbone_runs(session, experiment, rows, [kind]):
        arm, probe = arms[untrained.arm], untrained.evaluation
        if probe is None or probe.status != WorkStatus.SUCCEEDED:
            missing.append(_missing(arm.name, untrained.dataset_id, None, None, _why_no_evaluation(probe, kind)))
            continue
        add(arm, untrained.dataset_id, None, None, probe)
    compared_with = arms[names.index(baseline)]
    metrics = list(dict.fromkeys([*GROUPS, *(name for entry in pairs for name in entry.values)]))
    unequal = {arm.name: [*_unequal(session, arm, compared_with)] for arm in arms if arm is not compared_with}
    return Results(
        evaluation=kind,
        baseline=baseline,
        rows=[_row(arm, compared_with, metric, bool(unequal.get(arm.name))) for arm in arms for metric in metrics],
        pairs=pairs,
        missing=[*missing, *_partly_missing(pairs)],
        warnings=[
            *(warning for found in unequal.values() for warning in found),
            *_of_backbones(arms),
            *_of_jobs(arms),
        ],
    )


def bounded(found: Results) -> Results:
    """The results, without classes if they would take more than an answer may."""
    if len(to_json(found)) <= MOST_BYTES:
        return found
    left_out = sorted({row.metric for row in found.rows if row.metric.startswith(CLASS)})
    detail = f"The values of {len(left_out):,} classes are too long for JSON and left out. format=csv has their rows."
    shorter = without_classes(found)
    shorter.warnings = [*found.warnings, DataWarning("classes_left_out", detail, len(left_out), tuple(left_out[:10]))]
    return shorter


def without_classes(found: Results) -> Results:
    """The results of all classes together and of the groups alone."""
    return found.model_copy(
        update={
            "rows": [row for row in found.rows if row.metric in GROUPS],
            "pairs": [entry.model_copy(update={"values": _groups(entry.values)}) for entry in found.pairs],
            "missing": [entry for entry in found.missing if entry.metrics is None or {*entry.metrics} & {*GROUPS}],
        }
    )


def values_of(probe: Evaluation, class_names: Sequence[str] | None) -> dict[str, float | None]:
    """The values of one run by metric. Std is that of this run's groups."""
    by_class = probe.per_class_accuracy or []
    names = class_names or [str(number) for number in range(len(by_class))]
    groups = probe.group_accuracy or {}
    return {
        "all": probe.balanced_accuracy,
        **{group: groups.get(group) for group in ("many", "medium", "few")},
        "std": probe.group_std,
        **{f"{CLASS}{name}": value for name, value in zip(names, by_class, strict=True)},
    }


def _groups(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value for name, value in values.items() if name in GROUPS}


def _usual(job: Job, probes: Iterable[Evaluation], kind: str) -> Evaluation | None:
    """The evaluation with the settings that every run's own has, so that like is compared."""
    if job.status != WorkStatus.SUCCEEDED:
        return None
    wanted = ProbeSettings(kind=kind, group_thresholds=job.config.get("group_thresholds"))
    return next((probe for probe in probes if wanted.is_stored_as(probe.config)), None)


def _why(job: Job | None, kind: str) -> str:
    if job is None:
        return "the job was deleted"
    if job.status == WorkStatus.FAILED:
        return f"the job failed: {job.error}"
    if job.status == WorkStatus.SUCCEEDED:
        return f"the job has no evaluation '{kind}' with default settings of its last checkpoint"
    return f"the job is {job.status}"


def _why_no_evaluation(probe: Evaluation | None, kind: str) -> str:
    if probe is None:
        return f"the backbone has no evaluation '{kind}' with default settings on this data set"
    if probe.status == WorkStatus.FAILED:
        return f"the evaluation failed: {probe.error}"
    return f"the evaluation is {probe.status}"


def _missing(arm: str, dataset_id: str, seed: int | None, job: Job | None, why: str) -> MissingRun:
    job_id = None if job is None else job.id
    return MissingRun(arm=arm, dataset_id=dataset_id, seed=seed, job_id=job_id, why=why, metrics=None)


def _partly_missing(pairs: Sequence[RunValues]) -> Iterator[MissingRun]:
    """Runs without a value of a metric that others have, such as a class that a data set lacks."""
    known = {name for entry in pairs for name, value in entry.values.items() if value is not None}
    for entry in pairs:
        if lacking := sorted(name for name in known if entry.values.get(name) is None):
            yield MissingRun(
                arm=entry.arm,
                dataset_id=entry.dataset_id,
                seed=entry.seed,
                job_id=entry.job_id,
                why="its evaluation has no value of these",
                metrics=lacking,
            )


def _row(arm: _Arm, baseline: _Arm, metric: str, unequal: bool) -> ResultRow:
    values = arm.of(metric)
    own = summary(values)
    row = ResultRow(
        arm=arm.name,
        metric=metric,
        n=own.n,
        mean=own.mean,
        sd=own.sd,
        pairs=None,
        difference=None,
        interval=None,
        no_interval=None,
        verdict=None,
    )
    if arm is baseline:
        return row
    found = paired_comparison(arm.beside(baseline, metric), baseline.beside(arm, metric))
    row.pairs, row.difference = found.n, found.mean
    row.interval, row.no_interval = found.interval, found.no_interval
    row.verdict = None if unequal else found.verdict
    return row


def _unequal(session: Session, arm: _Arm, baseline: _Arm) -> Iterator[DataWarning]:
    """Why no verdict about an arm is possible: its runs took other steps, or other data."""
    both = [pair for pair in arm.jobs if pair in baseline.jobs]
    steps = [(arm.jobs[pair].steps, baseline.jobs[pair].steps) for pair in both]
    if differing := [(mine, theirs) for mine, theirs in steps if mine != theirs]:
        mine, theirs = differing[0]
        detail = (
            f"Runs of '{arm.name}' take {mine:,} optimiser steps, those of '{baseline.name}' {theirs:,}. A difference "
            "need not come from their settings, so there is no verdict."
        )
        yield DataWarning("different_steps", detail, len(differing), (arm.name,))
    told: dict[str, DataWarning] = {}
    for pair in both:
        mine_, theirs_ = arm.jobs[pair], baseline.jobs[pair]
        if mine_.dataset_id == theirs_.dataset_id:
            continue
        # Pools may differ: what a pool adds is a setting of an arm.
        found = {key: value for key, value in data_differences(session, [mine_, theirs_]).items() if key != "ood_pool"}
        told |= {warning.code: warning for warning in warnings_about(found)}
    for warning in told.values():
        detail = f"'{arm.name}' and '{baseline.name}': {warning.detail}. They get no verdict."
        yield DataWarning(warning.code, detail, warning.count, warning.examples)


def _of_backbones(arms: Iterable[_Arm]) -> Iterator[DataWarning]:
    """What the numbers of backbones do not say. They get verdicts all the same: nobody takes them
    for a run of as many steps."""
    for arm in arms:
        if not arm.is_backbone:
            continue
        untrained = (
            f"'{arm.name}' is a backbone that was not trained here. Its steps and data are not compared with those of "
            "other arms, so a difference says nothing about settings."
        )
        yield DataWarning("not_trained_here", untrained, 1, (arm.name,))
        one = (
            f"The runs of '{arm.name}' do not vary by seed: its one value of a data set is in the pair of every seed. "
            "Intervals beside it cover the chance of the other arm alone."
        )
        yield DataWarning("same_for_every_seed", one, len(arm.values), (arm.name,))


def _of_jobs(arms: Sequence[_Arm]) -> Iterator[DataWarning]:
    """The warnings of the runs themselves, once for each arm."""
    for arm in arms:
        found: dict[str, list[tuple[str, str]]] = {}
        for job in arm.jobs.values():
            for warning in job.warnings or []:
                found.setdefault(warning["code"], []).append((job.id, warning["detail"]))
        for code, told in found.items():
            of = f"{len(told)} of {len(arm.jobs)} runs of '{arm.name}'"
            yield DataWarning(code, f"{of}: {told[0][1]}", len(told), tuple(job_id for job_id, _ in told[:10]))
