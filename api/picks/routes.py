"""The OOD images that jobs picked."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.access.auth import Guarded
from api.http.errors import problems
from api.http.heavy import heavy
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit
from api.http.responses import PICKS
from api.picks import service
from api.picks.schemas import ComparedPicks, Part
from api.tailness.alike import Alike, mark_alike, pool_images
from store.database import reading

router = APIRouter(tags=["tailness"], route_class=Guarded)


@router.get("/jobs/{job_id}/picks", response_class=StreamingResponse, responses=PICKS | problems(404, 409))
@heavy
def download_picks(
    job_id: str,
    round: Annotated[int | None, Query(ge=1, lt=2**31, description="Default: the last round.")] = None,
    cluster: Annotated[int | None, Query(ge=0, lt=2**16, description="Only images nearest to this cluster.")] = None,
    format: Annotated[
        Literal["csv", "zip"],
        Query(description="zip: the images as PNG files beside the same `picks.csv`, at most 10,000 of them."),
    ] = "csv",
) -> StreamingResponse:
    """Download the OOD images that a sampling round picked, by index."""
    with reading() as session:
        take = service.archive if format == "zip" else service.table
        content = take(session, job_id, round, cluster)
    headers = {"Content-Disposition": f'attachment; filename="picks-{job_id}.{format}"'}
    media_type = "application/zip" if format == "zip" else "text/csv"
    return StreamingResponse(content, media_type=media_type, headers=headers)


@router.get("/compare/picks", responses=problems(404, 409))
@heavy
def compare_picks(
    job_id: Annotated[list[str], Query(min_length=2, max_length=2, description="The first job, then the second.")],
    part: Annotated[Part, Query(description="Which images to list.")] = "shared",
    round: Annotated[
        int | None, Query(ge=1, lt=2**31, description="Only picks of this round of both. Default: of all rounds.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    alike: Alike = False,
) -> ComparedPicks:
    """Compare what two jobs picked from one pool: shared images, and those of either alone."""
    with reading() as session:
        found = service.compared(session, job_id, part, round, limit, cursor)
        images = pool_images(session, job_id[0]) if alike else None
    if images is not None:
        mark_alike(found.items, images)
    return found
