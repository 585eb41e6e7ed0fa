"""Uploads: files to register data sets and OOD pools from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request

from api.access.auth import Guarded
from api.http.after_commit import delete_later
from api.http.clients import client_of
from api.http.errors import UnsupportedMediaType, problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.uploads import service
from api.uploads.pace import Pace, paced
from api.uploads.schemas import UploadInfo
from store.database import reading, writing
from store.repositories import uploads
from store.settings import get_settings

router = APIRouter(prefix="/uploads", tags=["data"], route_class=Guarded)

RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def raw_body(request: Request) -> tuple[int | None, AsyncIterator[bytes]]:
    """The announced length of a body that is a file, and its bytes as they arrive.

    Raises:
        UnsupportedMediaType: it is a form.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaType(
            "Send the file itself as the body, not a form, such as with curl --data-binary @FILE."
        )
    return streamed_body(request)


def streamed_body(request: Request) -> tuple[int | None, AsyncIterator[bytes]]:
    """The announced length of a body, and its bytes. They may not arrive too slowly."""
    length = request.headers.get("content-length", "")
    settings = get_settings()
    pace = Pace(settings.upload_least_rate, settings.upload_grace_seconds)
    return int(length) if length.isdecimal() else None, service.in_blocks(paced(request.stream(), pace))


@router.post("", status_code=201, responses=problems(413, 415, 507), openapi_extra=RAW_BODY)
async def upload_file(
    request: Request,
    filename: Annotated[
        str, Query(description="The file's name. Its ending says what the file is.", examples=["a.zip"])
    ],
) -> UploadInfo:
    """Upload a file (zip, tar, tar.gz, npz, npy or txt) as the raw body. A large one can continue
    after a lost connection with `POST /resumable-uploads`.

    With curl:
    `curl -X POST --data-binary @images.zip "http://localhost:8000/api/v1/uploads?filename=images.zip"`.
    """
    declared, body = raw_body(request)
    upload = await service.receive(filename, declared, body, request.app.state.upload_places, client_of(request))
    return service.describe(upload, awaited=())


@router.get("")
def list_uploads(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[UploadInfo]:
    """List uploads, newest first."""
    with reading() as session:
        found, awaited = uploads.page(session, limit, cursor), uploads.awaited(session)
        return Page.of(found, lambda upload: service.describe(upload, awaited))


@router.get("/{upload_id}", responses=problems(404))
def get_upload(upload_id: str) -> UploadInfo:
    """Get one upload: its size, and when it expires."""
    with reading() as session:
        return service.describe(service.find(session, upload_id), uploads.awaited(session))


@router.delete("/{upload_id}", status_code=204, responses=problems(404, 409))
def delete_upload(upload_id: str, background: BackgroundTasks) -> None:
    """Delete an uploaded file. Data sets and OOD pools that were registered from it stay.

    An upload that no registration names for seven days (COLT_UPLOAD_EXPIRE_SECONDS) is deleted by
    itself.
    """
    with writing() as session:
        folder = service.remove(session, upload_id)
    delete_later(background, folder)
