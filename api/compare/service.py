"""Compares jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.compare.data import data_differences, warnings_about
from api.compare.schemas import Comparison
from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Curve, JobInfo
from api.jobs.service import find
from store.repositories import checkpoint_work, metrics

MOST_POINTS = 100_000  # of all curves together: some 2 MB


def compare(session: Session, job_ids: Sequence[str], max_points: int) -> Comparison:
    """What differs between jobs: settings, data, results, curves.

    Raises:
        NotFound: there is no such job.
    """
    jobs = [find(session, job_id) for job_id in job_ids]
    probes = [checkpoint_work.latest_by_kind(session, job.id) for job in jobs]
    names = [metrics.names(session, job.id) for job in jobs]
    max_points = max(4, min(max_points, MOST_POINTS // max(1, sum(map(len, names)))))
    curves = [metrics.series(session, job.id, of_job, max_points) for job, of_job in zip(jobs, names, strict=True)]
    in_data = data_differences(session, jobs)
    return Comparison(
        jobs=[JobInfo.of(job) for job in jobs],
        differences=differences([{**job.config, "start_from": job.start_from} for job in jobs]),
        same_data=not in_data,
        data_differences=in_data,
        warnings=warnings_about(in_data),
        evaluations={
            kind: [EvaluationInfo.model_validate(found[kind]) if kind in found else None for found in probes]
            for kind in sorted(set().union(*probes))
        },
        curves={
            name: [Curve.of(found[name]) if name in found else None for found in curves]
            for name in sorted(set().union(*curves))
        },
    )


def differences(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The settings that differ, with the value of each job. A setting that a job's version did not
    have yet is None."""
    names = dict.fromkeys(name for config in configs for name in config)
    values = {name: [config.get(name) for config in configs] for name in names}
    return {name: of for name, of in values.items() if any(value != of[0] for value in of)}
