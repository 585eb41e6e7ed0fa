"""The whole record of a run as one file."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.access.auth import Guarded
from api.http.errors import problems
from api.http.heavy import heavy
from api.http.responses import RECORD
from api.records import service
from store.database import reading

router = APIRouter(tags=["jobs"], route_class=Guarded)


@router.get("/jobs/{job_id}/record", response_class=StreamingResponse, responses=RECORD | problems(404))
@heavy
def download_record(job_id: str) -> StreamingResponse:
    """Download all that is known of a run, as a zip that needs no server to be read.

    It has settings, status, attempts, metrics, evaluations, analyses, sampling rounds, picks,
    descriptions of the data, and a model card. Its `README.md` names each file and column. Weights
    and images are not in it.
    """
    with reading() as session:
        content = service.record(session, job_id)
    headers = {"Content-Disposition": f'attachment; filename="record-{job_id}.zip"'}
    return StreamingResponse(content, media_type="application/zip", headers=headers)
