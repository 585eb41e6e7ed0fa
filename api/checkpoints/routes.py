"""Checkpoints and their download."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api.access.auth import Guarded
from api.checkpoints.schemas import CheckpointInfo
from api.http.downloads import file_response
from api.http.errors import NotFound, problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import DOWNLOAD
from api.jobs.service import find
from store.database import reading
from store.repositories import checkpoints

router = APIRouter(tags=["jobs"], route_class=Guarded)
Format = Annotated[
    Literal["torch", "backbone"],
    Query(description="torch: everything needed to resume. backbone: torchvision-compatible weights as safetensors."),
]


@router.get("/jobs/{job_id}/checkpoints", responses=problems(404))
def list_checkpoints(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[CheckpointInfo]:
    """List a job's checkpoints, newest first."""
    with reading() as session:
        find(session, job_id)
        found = checkpoints.page(session, job_id, limit, cursor)
        return Page[CheckpointInfo].of(found, CheckpointInfo.model_validate)


@router.head("/checkpoints/{checkpoint_id}/download", include_in_schema=False)
@router.get("/checkpoints/{checkpoint_id}/download", response_class=Response, responses=DOWNLOAD | problems(404, 416))
def download_checkpoint(checkpoint_id: str, request: Request, format: Format = "torch") -> Response:
    """Download a checkpoint as a file. `Range` requests are supported."""
    with reading() as session:
        checkpoint = checkpoints.get(session, checkpoint_id)
        if checkpoint is None:
            raise NotFound(f"There is no checkpoint {checkpoint_id[:64]}.")
        name = find(session, checkpoint.job_id).name
    stem = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.') or 'job'}-epoch{checkpoint.epoch}"
    if format == "torch":
        etag, key = checkpoint.sha256, f"{checkpoint.artifact}/checkpoint.pt"
        return file_response(request, key, etag, f"{stem}.pt", checkpoint.sha256, checkpoint.bytes)
    # The backbone is made from the state, so the state's hash identifies its version.
    etag, key = f"{checkpoint.sha256}-backbone", f"{checkpoint.artifact}/backbone.safetensors"
    return file_response(request, key, etag, f"{stem}.safetensors", checkpoint.backbone_sha256)
