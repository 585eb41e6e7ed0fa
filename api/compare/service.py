"""Compares jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy.orm import Session

from api.compare.against import against
from api.compare.data import data_differences, warnings_about
from api.compare.schemas import Comparison, JobComparison
from api.compare.settings import settings_of
from api.evaluations.schemas import EvaluationInfo
from api.http.errors import Unprocessable
from api.http.pages import shortened
from api.jobs.schemas import Curve, JobInfo
from api.jobs.service import find
from store.models import Evaluation
from store.repositories import checkpoint_work, metrics
from store.repositories import jobs as job_rows

MOST_POINTS = 50_000  # of all curves together: some 1.2 MB
MOST_EVALUATION_BYTES = 2**18  # of all evaluations together


def compare(
    session: Session, job_ids: Sequence[str], max_points: int, baseline: str | None, evaluation: str | None
) -> Comparison:
    """What differs between jobs: settings, data, results, curves.

    Raises:
        NotFound: there is no such job.
        Unprocessable: the baseline is none of the jobs.
    """
    if baseline is None and evaluation is not None:
        raise Unprocessable(("?evaluation", "is the probe that `baseline` is compared by; name a baseline too"))
    if baseline is not None and baseline not in job_ids:
        raise Unprocessable(("?baseline", "must be one of the jobs; add it as a job_id, or name one of them"))
    jobs = [find(session, job_id) for job_id in job_ids]
    probes = {job.id: checkpoint_work.latest_by_kind(session, job.id) for job in jobs}
    names = [metrics.names(session, job.id) for job in jobs]
    max_points = max(4, min(max_points, MOST_POINTS // max(1, sum(map(len, names)))))
    curves = [metrics.series(session, job.id, of_job, max_points) for job, of_job in zip(jobs, names, strict=True)]
    in_data = data_differences(session, jobs)
    compared, warnings = None, warnings_about(in_data)
    if baseline is not None:
        first = find(session, baseline)
        groups = settings_of(session, [first, *(job for job in jobs if job is not first)])
        compared, found = against(session, groups, probes, evaluation)
        warnings += found
    return Comparison(
        jobs=[JobInfo.of(job) for job in jobs],
        differences=differences([{**job.config, "start_from": job.start_from} for job in jobs]),
        same_data=not in_data,
        data_differences=in_data,
        warnings=warnings,
        evaluations=_by_kind([*probes.values()]),
        curves={
            name: [Curve.of(found[name]) if name in found else None for found in curves]
            for name in sorted(set().union(*curves))
        },
        against=compared,
    )


def with_baseline(session: Session, job_id: str, baseline: str, evaluation: str | None) -> JobComparison:
    """One job beside its baseline.

    Raises:
        NotFound: there is no such job.
        Unprocessable: there is no such baseline, or it is the job itself.
    """
    job = find(session, job_id)
    first = job_rows.get(session, baseline)
    if first is None or first is job:
        what = "is the job itself" if first is job else "is no job"
        raise Unprocessable(("?baseline", f"{what}; name another job to compare with"))
    found = {row.id: checkpoint_work.latest_by_kind(session, row.id) for row in (first, job)}
    compared, warnings = against(session, [[first], [job]], found, evaluation)
    in_data = warnings_about(data_differences(session, [first, job]))
    return JobComparison(**dict(compared), warnings=[*in_data, *warnings])


def differences(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The settings that differ, with the value of each job. A setting that a job's version did not
    have yet is None."""
    names = dict.fromkeys(name for config in configs for name in config)
    values = {name: [config.get(name) for config in configs] for name in names}
    return {name: of for name, of in values.items() if any(value != of[0] for value in of)}


def _by_kind(probes: Sequence[Mapping[str, Evaluation]]) -> dict[str, list[EvaluationInfo | None]]:
    """Each job's evaluation of each kind. Many large ones leave out what they have by class."""
    most = MOST_EVALUATION_BYTES // max(1, sum(map(len, probes)))

    def shown(row: Evaluation | None) -> EvaluationInfo | None:
        if row is None:
            return None
        info = EvaluationInfo.model_validate(row)
        return info if len(to_json(info)) <= most else shortened(info, most)

    return {kind: [shown(found.get(kind)) for found in probes] for kind in sorted(set().union(*probes))}
