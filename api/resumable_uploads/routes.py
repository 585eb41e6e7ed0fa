"""Uploads that continue after a lost connection.

They follow the IETF draft on resumable uploads for HTTP (draft-ietf-httpbis-resumable-upload). A
PATCH appends at `Upload-Offset`. Another offset than the server's is a 409, whose header has the
right one.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, Request, Response

from api.access.auth import Guarded
from api.http.after_commit import delete_later
from api.http.clients import client_of
from api.http.errors import problems
from api.resumable_uploads import service
from api.resumable_uploads.schemas import NewResumableUpload, ResumableUploadInfo
from api.uploads.routes import RAW_BODY, raw_body
from store.database import reading, writing

router = APIRouter(prefix="/resumable-uploads", tags=["data"], route_class=Guarded)


@router.post("", status_code=201, responses=problems(413, 415, 507))
def begin_upload(wanted: NewResumableUpload, response: Response) -> ResumableUploadInfo:
    """Announce a file. Then send its bytes with PATCH, in as many requests as it takes."""
    service.check_room(wanted)
    with writing() as session:
        found = service.begin(session, wanted)
    response.headers["Location"] = f"/api/v1/resumable-uploads/{found.id}"
    return _told(found, response)


@router.head("/{upload_id}", include_in_schema=False)
@router.get("/{upload_id}", responses=problems(404))
def get_resumable_upload(upload_id: str, response: Response) -> ResumableUploadInfo:
    """Get how much has arrived: in the body, and in the header `Upload-Offset`."""
    with reading() as session:
        found = service.progress(session, upload_id)
    response.headers["Cache-Control"] = "no-store"
    return _told(found, response)


@router.patch("/{upload_id}", responses=problems(404, 408, 409, 413, 415, 429, 503, 507), openapi_extra=RAW_BODY)
async def append_to_upload(
    upload_id: str,
    upload_offset: Annotated[int, Header(ge=0, lt=2**63, description="Where in the file the body begins.")],
    request: Request,
    response: Response,
) -> ResumableUploadInfo:
    """Append bytes: the rest of the file, or a part of it. The request with the last byte completes
    the upload; so does an empty one after all have arrived.

    If the connection breaks, ask for the offset and send what follows. At most 16 MiB are lost.
    Another offset is a 409, whose header `Upload-Offset` has the right one.
    """
    declared, body = raw_body(request)
    places, client = request.app.state.upload_places, client_of(request)
    return _told(await service.append(upload_id, upload_offset, declared, body, places, client), response)


@router.delete("/{upload_id}", status_code=204, responses=problems(404))
def abandon_upload(upload_id: str, background: BackgroundTasks) -> None:
    """Delete what has arrived of an unfinished upload. A complete one is deleted as an upload."""
    with writing() as session:
        folder = service.abandon(session, upload_id)
    delete_later(background, folder)


def _told(found: ResumableUploadInfo, response: Response) -> ResumableUploadInfo:
    response.headers["Upload-Offset"] = str(found.offset)
    response.headers["Upload-Complete"] = "?1" if found.complete else "?0"
    return found
