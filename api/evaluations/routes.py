"""Evaluations: probes of what a run has learned."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response

from api.access.auth import Guarded
from api.checkpoint_work.routes import accepted, steering
from api.evaluations import service
from api.evaluations.schemas import EvaluationInfo, NewEvaluation
from api.http.after_commit import ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find as find_job
from api.registration import Accepted
from store.database import reading, writing
from store.models import Evaluation
from store.repositories import checkpoint_work

router = APIRouter(tags=["jobs"], route_class=Guarded)


@router.get("/jobs/{job_id}/evaluations", responses=problems(404))
def list_evaluations(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[EvaluationInfo]:
    """List the evaluations of a job's checkpoints, newest first."""
    with reading() as session:
        find_job(session, job_id)
        found = checkpoint_work.page(session, Evaluation, job_id, None, limit, cursor)
        return Page[EvaluationInfo].of(found, EvaluationInfo.model_validate)


@router.post("/jobs/{job_id}/evaluations", status_code=202, responses=problems(404, 409, 415))
def request_evaluation(
    job_id: str, wanted: NewEvaluation, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Request another evaluation of a checkpoint.

    The same request again returns the existing evaluation, unless it failed or was cancelled.
    """
    with writing() as session:
        evaluation = service.request(session, job_id, wanted, token_id(request))
    ring_later(background, Evaluation.bell)
    return accepted(evaluation, response)


router.include_router(steering(Evaluation, EvaluationInfo))
