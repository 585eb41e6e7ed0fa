"""Checkpoints and their download."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.access.auth import Guarded
from api.checkpoints.schemas import CheckpointInfo
from api.exports.service import finished
from api.http.downloads import file_response
from api.http.errors import NotFound, problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import DOWNLOAD
from api.jobs.service import find
from colt_core.exporting.kinds import FeatureFormat, FeaturesExportConfig, OnnxExportConfig, Split
from store.database import reading
from store.models import Checkpoint, Export
from store.repositories import checkpoints

router = APIRouter(tags=["jobs"], route_class=Guarded)
Format = Annotated[
    Literal["torch", "backbone", "onnx"],
    Query(
        description="torch: everything needed to resume. backbone: torchvision-compatible weights as safetensors. "
        "onnx: the network from pixels to features. It has to be requested as an export first."
    ),
]


@router.get("/jobs/{job_id}/checkpoints", responses=problems(404))
def list_checkpoints(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[CheckpointInfo]:
    """List a job's checkpoints, newest first."""
    with reading() as session:
        find(session, job_id)
        found = checkpoints.page(session, job_id, limit, cursor)
        return Page[CheckpointInfo].of(found, CheckpointInfo.model_validate)


@router.head("/checkpoints/{checkpoint_id}/download", include_in_schema=False)
@router.get(
    "/checkpoints/{checkpoint_id}/download", response_class=Response, responses=DOWNLOAD | problems(404, 409, 416)
)
def download_checkpoint(checkpoint_id: str, request: Request, format: Format = "torch") -> Response:
    """Download a checkpoint as a file. `Range` requests are supported."""
    with reading() as session:
        checkpoint, stem = _found(session, checkpoint_id)
        export = finished(session, checkpoint, OnnxExportConfig()) if format == "onnx" else None
    if export is not None:
        return _exported(request, export, stem)
    if format == "torch":
        etag, key = checkpoint.sha256, f"{checkpoint.artifact}/checkpoint.pt"
        return file_response(request, key, etag, f"{stem}.pt", checkpoint.sha256, checkpoint.bytes)
    # The backbone is made from the state, so the state's hash identifies its version.
    etag, key = f"{checkpoint.sha256}-backbone", f"{checkpoint.artifact}/backbone.safetensors"
    return file_response(request, key, etag, f"{stem}.safetensors", checkpoint.backbone_sha256)


@router.head("/checkpoints/{checkpoint_id}/features", include_in_schema=False)
@router.get(
    "/checkpoints/{checkpoint_id}/features", response_class=Response, responses=DOWNLOAD | problems(404, 409, 416)
)
def download_features(
    checkpoint_id: str,
    request: Request,
    split: Annotated[Split, Query(description="As the export was requested.")] = "test",
    format: Annotated[FeatureFormat, Query(description="As the export was requested.")] = "npz",
) -> Response:
    """Download the backbone's features of a part of the data, in float32. They have to be requested
    as an export first. `Range` requests are supported."""
    with reading() as session:
        checkpoint, stem = _found(session, checkpoint_id)
        export = finished(session, checkpoint, FeaturesExportConfig(split=split, format=format))
    return _exported(request, export, f"{stem}-{split}")


def _found(session: Session, checkpoint_id: str) -> tuple[Checkpoint, str]:
    """The checkpoint, and how names of its files begin.

    Raises:
        NotFound: there is none.
    """
    checkpoint = checkpoints.get(session, checkpoint_id)
    if checkpoint is None:
        raise NotFound(f"There is no checkpoint {checkpoint_id[:64]}.")
    name = find(session, checkpoint.job_id).name
    return checkpoint, f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.') or 'job'}-epoch{checkpoint.epoch}"


def _exported(request: Request, export: Export, stem: str) -> Response:
    assert export.artifact is not None and export.sha256 is not None  # it has succeeded
    name = f"{stem}.{export.artifact.rpartition('.')[2]}"
    return file_response(request, export.artifact, export.sha256, name, export.sha256, export.bytes)
