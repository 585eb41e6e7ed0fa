"""Differences of settings from a baseline, paired by seed.

No setting leads another without an interval, nor where more than one thing separates them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from api.compare.doubts import doubts, told
from api.compare.runs import Found, Run, Runs, Values, class_values, runs_of, summary_values
from api.compare.schemas import AgainstBaseline, ComparedSetting, Difference
from api.compare.settings import differs_in
from colt_core.data.warnings import DataWarning
from colt_core.paired import paired_comparison, summary
from store.models import Dataset, Evaluation, Job
from store.repositories import registrations

FIRST_KIND = "linear"  # which papers report
MOST_CLASS_ROWS = 2000  # of an answer: half a megabyte
Table = Callable[[Mapping[int, Run]], dict[str, Values]]


def against(
    session: Session, groups: Sequence[Sequence[Job]], found: Found, kind: str | None
) -> tuple[AgainstBaseline, list[DataWarning]]:
    """Compare settings with the first of them.

    Args:
        session: a session.
        groups: the jobs of each setting. The very first job is the baseline.
        found: the latest evaluations of each job.
        kind: the probe. None: `linear` if the baseline has it, else the first that it has.

    Returns:
        The comparison, and what to know before drawing a conclusion from it.
    """
    baseline = groups[0][0]
    kind = kind or _first_kind(found[baseline.id])
    settings = [runs_of(session, jobs, found, kind) for jobs in groups]
    names = _class_names(session, baseline)
    few = 0 < len(names) * len(settings) <= MOST_CLASS_ROWS
    classes: Table | None = (lambda runs: class_values(runs, names)) if few else None
    concerned: dict[str, list[Job]] = defaultdict(list)
    shown = [_own(settings[0], classes)]
    for runs in settings[1:]:
        setting, codes = _compared(runs, settings[0], differs_in(session, runs.jobs[0], baseline), classes)
        shown.append(setting)
        for code in codes:
            concerned[code] += runs.jobs
    for runs in settings:
        concerned["missing_results"] += runs.missing
        concerned["repeated_runs"] += runs.repeated
    return AgainstBaseline(baseline=baseline.id, evaluation=kind, settings=shown), told(concerned)


def _first_kind(found: Mapping[str, Evaluation]) -> str | None:
    return FIRST_KIND if FIRST_KIND in found else min(found, default=None)


def _class_names(session: Session, job: Job) -> list[str]:
    dataset = registrations.get(session, Dataset, job.evaluated_on)
    return (dataset and dataset.class_names) or []


def _own(runs: Runs, classes: Table | None) -> ComparedSetting:
    """The numbers of the baseline."""

    def rows(table: Table) -> list[Difference]:
        return [_row(metric, values) for metric, values in table(runs.by_seed).items()]

    return ComparedSetting(
        job_ids=_ids(runs.jobs),
        differs_in=[],
        no_verdict=None,
        missing=_ids(runs.missing),
        unpaired=_ids(runs.repeated),
        rows=rows(summary_values),
        classes=rows(classes) if classes else None,
    )


def _compared(
    runs: Runs, baseline: Runs, differs: Sequence[str], classes: Table | None
) -> tuple[ComparedSetting, list[str]]:
    """A setting beside the baseline, and the codes of what speaks against a verdict."""
    ours, theirs = runs.by_seed, baseline.by_seed
    one_each = len(ours) == len(theirs) == 1
    if one_each:  # of whichever seeds: there is no interval in either case
        ours, theirs = ({0: run} for side in (ours, theirs) for run in side.values())
    lone = [run for seed, run in ours.items() if seed not in theirs]
    lone += [run for seed, run in theirs.items() if seed not in ours]
    reasons = dict(doubts(differs, [(run, theirs[seed]) for seed, run in ours.items() if seed in theirs]))
    comparable = "evaluated_on" not in differs

    def rows(table: Table) -> list[Difference]:
        base = table(theirs)
        return [
            _difference(_row(metric, values), values, base[metric], one_each, bool(reasons))
            for metric, values in table(ours).items()
        ]

    shown = ComparedSetting(
        job_ids=_ids(runs.jobs),
        differs_in=list(differs),
        no_verdict=" ".join(reasons.values()) or None,
        missing=_ids(runs.missing),
        unpaired=_ids([*(run.job for run in lone), *runs.repeated]),
        rows=rows(summary_values) if comparable else [],
        classes=rows(classes) if classes and comparable else None,
    )
    return shown, [*reasons]


def _row(metric: str, values: Values) -> Difference:
    """The runs of a setting by themselves."""
    own = summary(values)
    return Difference(metric=metric, mean=own.mean, sd=own.sd, n=own.n, difference=None, interval=None, verdict=None)


def _difference(own: Difference, values: Values, base: Values, one_each: bool, doubted: bool) -> Difference:
    found = paired_comparison(values, base)
    verdict = found.no_interval if one_each and found.n == 1 else found.verdict
    interval = None if found.interval is None else list(found.interval)
    compared = {"n": found.n, "difference": found.mean, "interval": interval}
    return own.model_copy(update={**compared, "verdict": None if doubted else verdict})


def _ids(jobs: Sequence[Job]) -> list[str]:
    return [job.id for job in jobs]
