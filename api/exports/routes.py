"""Exports: files made of checkpoints for other programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Query, Request, Response
from fastapi.openapi.models import Example

from api.access.auth import Guarded
from api.checkpoint_work.routes import accepted, steering
from api.exports import service
from api.exports.schemas import ExportInfo, NewExport
from api.http.after_commit import ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find as find_job
from api.kinds.names import ExportName
from api.registration import Accepted
from store.database import reading, writing
from store.models import Export
from store.repositories import checkpoint_work

router = APIRouter(tags=["jobs"], route_class=Guarded)

_EXAMPLES: dict[str, Example] = {
    "ONNX": {"value": {"kind": "onnx"}},
    "features": {"value": {"kind": "features", "split": "test", "format": "parquet"}},
}


@router.get("/jobs/{job_id}/exports", responses=problems(404))
def list_exports(
    job_id: str, kind: Annotated[ExportName | None, Query()] = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[ExportInfo]:
    """List the files made of a job's checkpoints, newest first."""
    with reading() as session:
        find_job(session, job_id)
        found = checkpoint_work.page(session, Export, job_id, kind, limit, cursor)
        return Page[ExportInfo].of(found, ExportInfo.model_validate)


@router.post("/jobs/{job_id}/exports", status_code=202, responses=problems(404, 409, 415))
def request_export(
    job_id: str,
    wanted: Annotated[NewExport, Body(openapi_examples=_EXAMPLES)],
    request: Request,
    background: BackgroundTasks,
    response: Response,
) -> Accepted:
    """Request a file made of a checkpoint. Once its status is `succeeded`, download it: ONNX with
    `/checkpoints/{id}/download`, and features with `/checkpoints/{id}/features`.

    The same request again returns the existing export, unless it failed or was cancelled.
    """
    with writing() as session:
        export = service.request(session, job_id, wanted, token_id(request))
    ring_later(background, Export.bell)
    return accepted(export, response)


router.include_router(steering(Export, ExportInfo))
