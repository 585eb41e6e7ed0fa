"""Sampling rounds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.access.auth import Guarded
from api.http.errors import NotFound, problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find
from api.rounds.schemas import RoundInfo
from store.database import reading
from store.repositories import rounds

router = APIRouter(prefix="/jobs/{job_id}/rounds", tags=["tailness"], route_class=Guarded)


@router.get("", responses=problems(404))
def list_rounds(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[RoundInfo]:
    """List a job's sampling rounds, oldest first."""
    with reading() as session:
        find(session, job_id)
        found = rounds.page(session, job_id, limit, cursor)
        return Page[RoundInfo].of(found, RoundInfo.model_validate)


@router.get("/{number}", responses=problems(404))
def get_round(job_id: str, number: Annotated[int, Path(ge=1, lt=2**31)]) -> RoundInfo:
    """Get one sampling round: its clusters, their budgets and what changed."""
    with reading() as session:
        find(session, job_id)
        found = rounds.get(session, job_id, number)
        if found is None:
            raise NotFound(f"This job has had no sampling round {number}.")
        return RoundInfo.model_validate(found)
