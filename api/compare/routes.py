"""Comparison of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.access.auth import Guarded
from api.compare import service
from api.compare.schemas import Comparison
from api.http.errors import problems
from store.database import reading

router = APIRouter(tags=["jobs"], route_class=Guarded)


@router.get("/compare", responses=problems(404))
def compare_jobs(
    job_id: Annotated[list[str], Query(min_length=2, max_length=20, description="Repeat it for each job.")],
    max_points: Annotated[
        int, Query(ge=4, le=10_000, description="At most this many points per curve. Peaks are kept.")
    ] = 500,
) -> Comparison:
    """Compare jobs: their different settings and data, accuracy by class and group, and curves."""
    with reading() as session:
        return service.compare(session, list(dict.fromkeys(job_id)), max_points)
