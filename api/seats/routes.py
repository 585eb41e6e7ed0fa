"""Seats: the machines of a job with `num_hosts` > 1."""

from __future__ import annotations

from fastapi import APIRouter

from api.access.auth import Guarded
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find
from api.seats.schemas import SeatInfo
from store.database import reading
from store.repositories import seats

router = APIRouter(prefix="/jobs/{job_id}/seats", tags=["jobs"], route_class=Guarded)


@router.get("", responses=problems(404))
def list_seats(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[SeatInfo]:
    """List the seats of a job over several machines, of all its attempts, the latest first.

    A job on one machine has none.
    """
    with reading() as session:
        find(session, job_id)
        found = seats.page(session, job_id, limit, cursor)
        return Page[SeatInfo].of(found, SeatInfo.model_validate)
