"""Attempts: each start of a job, and how it ended."""

from __future__ import annotations

from fastapi import APIRouter

from api.access.auth import Guarded
from api.attempts.schemas import AttemptInfo
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find
from store.database import reading
from store.repositories import attempts

router = APIRouter(prefix="/jobs/{job_id}/attempts", tags=["jobs"], route_class=Guarded)


@router.get("", responses=problems(404))
def list_attempts(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[AttemptInfo]:
    """List every start of a job, oldest first: its worker, where it started from, how it ended and
    why."""
    with reading() as session:
        find(session, job_id)
        found = attempts.page(session, job_id, limit, cursor)
        return Page[AttemptInfo].of(found, AttemptInfo.model_validate)
