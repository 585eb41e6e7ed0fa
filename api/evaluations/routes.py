"""Evaluations: probes of what a run has learnt."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Response

from api.access.auth import Guarded
from api.evaluations import service
from api.evaluations.schemas import EvaluationInfo, NewEvaluation
from api.http.after_commit import ring_later
from api.http.errors import NotFound, problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.jobs.service import find
from api.registration import Accepted
from store.broker import PREPARE
from store.database import reading, writing
from store.repositories import evaluations

router = APIRouter(tags=["jobs"], route_class=Guarded)


@router.get("/jobs/{job_id}/evaluations", responses=problems(404))
def list_evaluations(job_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[EvaluationInfo]:
    """Probes of a job's checkpoints, the newest first."""
    with reading() as session:
        find(session, job_id)
        found = evaluations.page(session, job_id, limit, cursor)
        return Page(items=[EvaluationInfo.model_validate(row) for row in found.items], next_cursor=found.next_cursor)


@router.post("/jobs/{job_id}/evaluations", status_code=202, responses=problems(404, 409, 415))
def request_evaluation(job_id: str, wanted: NewEvaluation, background: BackgroundTasks, response: Response) -> Accepted:
    """Ask for another probe of a checkpoint."""
    with writing() as session:
        evaluation = service.request(session, job_id, wanted)
    ring_later(background, PREPARE)
    response.headers["Location"] = f"/api/v1/evaluations/{evaluation.id}"
    return Accepted(id=evaluation.id, status=evaluation.status)


@router.get("/evaluations/{evaluation_id}", responses=problems(404))
def get_evaluation(evaluation_id: str) -> EvaluationInfo:
    """One probe."""
    with reading() as session:
        found = evaluations.get(session, evaluation_id)
        if found is None:
            raise NotFound(f"There is no evaluation {evaluation_id[:64]}.")
        return EvaluationInfo.model_validate(found)
