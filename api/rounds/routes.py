"""Sampling rounds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access.auth import Guarded
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find
from api.rounds import service
from api.rounds.schemas import RoundDetails, RoundInfo
from store.database import reading
from store.repositories import rounds

router = APIRouter(prefix="/jobs/{job_id}/rounds", tags=["tailness"], route_class=Guarded)


@router.get("", responses=problems(404))
def list_rounds(
    job_id: str,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    class_counts: Annotated[bool, Query(description="false: leave `class_counts` of the clusters null.")] = True,
) -> Page[RoundInfo]:
    """List a job's sampling rounds, oldest first."""
    with reading() as session:
        find(session, job_id)
        found = rounds.page(session, job_id, limit, cursor)
        page = Page[RoundInfo].of(found, RoundInfo.model_validate)
    if not class_counts:
        for cluster in (cluster for item in page.items for cluster in item.clusters):
            cluster.class_counts = None
    return page


@router.get("/{number}", responses=problems(404))
def get_round(job_id: str, number: Annotated[int, Path(ge=1, lt=2**31)]) -> RoundDetails:
    """Get one sampling round: its clusters, their budgets, what changed, and which clusters hold
    the tail."""
    with reading() as session:
        return service.details(session, job_id, number)
