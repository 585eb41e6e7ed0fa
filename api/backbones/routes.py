"""Backbones from elsewhere, random ones and those of checkpoints; what is asked of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response

from api import registration
from api.access.auth import Guarded
from api.analyses.schemas import AnalysisInfo, NewBackboneAnalysis
from api.backbones import analyses, evaluations, service
from api.backbones.schemas import BackboneDetails, BackboneInfo, NewBackbone
from api.checkpoint_work.routes import accepted
from api.evaluations.schemas import EvaluationInfo, NewBackboneEvaluation
from api.http.after_commit import delete_later, ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.kinds.names import AnalysisName
from api.registration import Accepted
from store.database import reading, writing
from store.models import Analysis, BackboneWeights, Evaluation
from store.repositories import checkpoint_work, registrations
from store.statuses import RegistrationStatus

router = APIRouter(prefix="/backbones", tags=["backbones"], route_class=Guarded)


@router.post("", status_code=202, responses=problems(415))
def register_backbone(
    wanted: NewBackbone, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Register a backbone: an uploaded file of weights, random weights, or those of a checkpoint.

    A file has torchvision's or timm's names of a ResNet. Names in front of them, such as `module.`
    or `encoder_q.`, are taken off. One that fits in less than 90 % of the weights is refused. A
    worker reads it, without running its code. Poll the address in `Location` until the status is
    `ready` or `failed`.
    """
    with writing() as session:
        backbone = service.register(session, wanted, token_id(request))
    ring_later(background, BackboneWeights.bell)
    response.headers["Location"] = f"/api/v1/backbones/{backbone.id}"
    return Accepted(id=backbone.id, status=backbone.status)


@router.get("")
def list_backbones(
    status: Annotated[RegistrationStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[BackboneInfo]:
    """List backbones, newest first. The names of their weights are left out."""
    with reading() as session:
        found = registrations.page(session, BackboneWeights, status, limit, cursor)
        return Page[BackboneInfo].of(found, BackboneInfo.of)


@router.get("/{backbone_id}", responses=problems(404))
def get_backbone(backbone_id: str) -> BackboneDetails:
    """Get one backbone, with how the names of its file fitted."""
    with reading() as session:
        return BackboneDetails.of(registration.find(session, BackboneWeights, backbone_id))


@router.delete("/{backbone_id}", status_code=204, responses=problems(404, 409))
def delete_backbone(backbone_id: str, background: BackgroundTasks) -> None:
    """Delete a backbone.

    Refused while it has evaluations or analyses, or a job is to begin with it.
    """
    with writing() as session:
        folder = registration.remove(session, BackboneWeights, backbone_id)
    delete_later(background, folder)


@router.get("/{backbone_id}/evaluations", responses=problems(404))
def list_backbone_evaluations(
    backbone_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[EvaluationInfo]:
    """List the evaluations of a backbone, newest first."""
    with reading() as session:
        registration.find(session, BackboneWeights, backbone_id)
        found = checkpoint_work.page_of_backbone(session, Evaluation, backbone_id, None, limit, cursor)
        return Page[EvaluationInfo].of(found, EvaluationInfo.model_validate)


@router.post("/{backbone_id}/evaluations", status_code=202, responses=problems(404, 409, 415))
def request_backbone_evaluation(
    backbone_id: str,
    wanted: NewBackboneEvaluation,
    request: Request,
    background: BackgroundTasks,
    response: Response,
) -> Accepted:
    """Request an evaluation of a backbone on a data set, by the probes that checkpoints have.

    The same request again returns the existing evaluation, unless it failed or was cancelled.
    """
    with writing() as session:
        evaluation = evaluations.request(session, backbone_id, wanted.dataset_id, wanted.settings, token_id(request))
    ring_later(background, Evaluation.bell)
    return accepted(evaluation, response)


@router.get("/{backbone_id}/analyses", responses=problems(404))
def list_backbone_analyses(
    backbone_id: str,
    kind: Annotated[AnalysisName | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AnalysisInfo]:
    """List the analyses of a backbone, newest first. Results are left out; ask for one analysis to
    get its result."""
    with reading() as session:
        registration.find(session, BackboneWeights, backbone_id)
        found = checkpoint_work.page_of_backbone(session, Analysis, backbone_id, kind, limit, cursor)
        return Page[AnalysisInfo].of(found, AnalysisInfo.model_validate)


@router.post("/{backbone_id}/analyses", status_code=202, responses=problems(404, 409, 415))
def request_backbone_analysis(
    backbone_id: str,
    wanted: NewBackboneAnalysis,
    request: Request,
    background: BackgroundTasks,
    response: Response,
) -> Accepted:
    """Request an analysis of a backbone's features, L2-normalised, of the images of a data set.

    Those that need a run's tailness or picks are refused. The same request again returns the
    existing analysis, unless it failed or was cancelled.
    """
    with writing() as session:
        analysis = analyses.request(session, backbone_id, wanted, token_id(request))
    ring_later(background, Analysis.bell)
    return accepted(analysis, response)
