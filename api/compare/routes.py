"""Comparison of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access.auth import Guarded
from api.compare import service
from api.compare.schemas import Comparison
from api.http.errors import problems
from api.http.heavy import heavy
from api.http.responses import json_response
from store.database import reading

router = APIRouter(tags=["jobs"], route_class=Guarded)


@router.get("/compare", response_model=Comparison, responses=problems(404))
@heavy
def compare_jobs(
    job_id: Annotated[list[str], Query(min_length=2, max_length=20, description="Repeat it for each job.")],
    max_points: Annotated[
        int,
        Query(
            ge=4,
            le=10_000,
            description="At most this many points per curve, and fewer of very many curves. Peaks are kept.",
        ),
    ] = 500,
) -> Response:
    """Compare jobs: their different settings and data, accuracy by class and group, and curves."""
    with reading() as session:
        return json_response(service.compare(session, list(dict.fromkeys(job_id)), max_points))
