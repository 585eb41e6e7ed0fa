"""Comparison of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access.auth import Guarded
from api.compare import service
from api.compare.schemas import Comparison, JobComparison
from api.http.errors import problems
from api.http.heavy import heavy
from api.http.responses import json_response
from api.kinds.names import ProbeName
from store.database import reading

router = APIRouter(tags=["jobs"], route_class=Guarded)
Probe = Annotated[
    ProbeName | None,
    Query(description="The probe to compare by. Default: `linear` if the baseline has it, else another that it has."),
]


@router.get("/compare", response_model=Comparison, responses=problems(404))
@heavy
def compare_jobs(
    job_id: Annotated[list[str], Query(min_length=2, max_length=20, description="Repeat it for each job.")],
    baseline: Annotated[
        str | None, Query(max_length=64, description="One of the jobs. The others are compared with it.")
    ] = None,
    evaluation: Probe = None,
    max_points: Annotated[
        int,
        Query(
            ge=4,
            le=10_000,
            description="At most this many points per curve, and fewer of very many curves. Peaks are kept.",
        ),
    ] = 500,
) -> Response:
    """Compare jobs: their different settings and data, accuracy by class and group, and curves.

    With a `baseline`, jobs that differ by seed alone are runs of one setting. Each setting's
    difference from the baseline's is paired by seed. It has a 95 % t interval from two pairs on,
    and a verdict from three on. There is no verdict where settings differ in more than one thing,
    in data, in optimiser steps or in their probes.
    """
    with reading() as session:
        jobs = list(dict.fromkeys(job_id))
        return json_response(service.compare(session, jobs, max_points, baseline, evaluation))


@router.get("/jobs/{job_id}/comparison", response_model=JobComparison, responses=problems(404))
@heavy
def compare_with_baseline(
    job_id: str, baseline: Annotated[str, Query(max_length=64, description="Another job.")], evaluation: Probe = None
) -> Response:
    """Compare a job with another one: the differences by group and class.

    These are two runs, so there is no interval. Name the runs of more seeds in `/compare`.
    """
    with reading() as session:
        return json_response(service.with_baseline(session, job_id, baseline, evaluation))
