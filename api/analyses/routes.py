"""Analyses: what a run has learned, as in the paper's figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Query, Request, Response
from fastapi.openapi.models import Example

from api.access.auth import Guarded
from api.analyses import service
from api.analyses.schemas import AnalysisInfo, AnalysisWithResult, NewAnalysis
from api.checkpoint_work.routes import accepted, steering
from api.http.after_commit import ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find as find_job
from api.kinds.names import AnalysisName
from api.registration import Accepted
from store.database import reading, writing
from store.models import Analysis
from store.repositories import checkpoint_work

router = APIRouter(tags=["jobs"], route_class=Guarded)

_EXAMPLES: dict[str, Example] = {
    "tail share": {"value": {"kind": "tail_share"}},
    "feature map": {"value": {"kind": "feature_map", "method": "pca", "num_samples": 500}},
}


@router.get("/jobs/{job_id}/analyses", responses=problems(404))
def list_analyses(
    job_id: str,
    kind: Annotated[AnalysisName | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AnalysisInfo]:
    """List the analyses of a job's checkpoints, newest first. Results are left out; ask for one
    analysis to get its result."""
    with reading() as session:
        find_job(session, job_id)
        found = checkpoint_work.page(session, Analysis, job_id, kind, limit, cursor)
        return Page[AnalysisInfo].of(found, AnalysisInfo.model_validate)


@router.post("/jobs/{job_id}/analyses", status_code=202, responses=problems(404, 409, 415))
def request_analysis(
    job_id: str,
    wanted: Annotated[NewAnalysis, Body(openapi_examples=_EXAMPLES)],
    request: Request,
    background: BackgroundTasks,
    response: Response,
) -> Accepted:
    """Request an analysis of a checkpoint.

    The same request again returns the existing analysis, unless it failed or was cancelled.
    """
    with writing() as session:
        analysis = service.request(session, job_id, wanted, token_id(request))
    ring_later(background, Analysis.bell)
    return accepted(analysis, response)


router.include_router(steering(Analysis, AnalysisWithResult))
