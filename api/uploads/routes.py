"""Uploads: files to register data sets and OOD pools from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request

from api.access.auth import Guarded
from api.http.after_commit import delete_later
from api.http.errors import UnsupportedMediaType, problems
from api.uploads import service
from api.uploads.schemas import UploadInfo
from store.database import writing

router = APIRouter(prefix="/uploads", tags=["data"], route_class=Guarded)

_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, responses=problems(413, 415, 507), openapi_extra=_RAW_BODY)
async def upload_file(
    request: Request,
    filename: Annotated[
        str, Query(description="The file's name. Its ending says what the file is.", examples=["a.zip"])
    ],
) -> UploadInfo:
    """Upload a file (zip, tar, tar.gz, npz, npy or txt) as the raw body.

    With curl:
    `curl -X POST --data-binary @images.zip "http://localhost:8000/api/v1/uploads?filename=images.zip"`.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaType(
            "Send the file itself as the body, not a form, such as with curl --data-binary @FILE."
        )
    length = request.headers.get("content-length", "")
    body = service.in_blocks(request.stream())
    upload = await service.receive(filename, int(length) if length.isdigit() else None, body)
    return UploadInfo.model_validate(upload)


@router.delete("/{upload_id}", status_code=204, responses=problems(404, 409))
def delete_upload(upload_id: str, background: BackgroundTasks) -> None:
    """Delete an uploaded file. Data sets and OOD pools that were registered from it stay.

    Uploads are kept until they are deleted.
    """
    with writing() as session:
        folder = service.remove(session, upload_id)
    delete_later(background, folder)
