"""Experiments: arms compared over data sets and seeds."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response

from api.access.auth import Guarded
from api.experiments import progress, service, submission, tables
from api.experiments.result_schemas import ResultFormat, Results
from api.experiments.results import bounded, results, without_classes
from api.experiments.schemas import ExperimentDetails, ExperimentEstimate, ExperimentInfo, MoreSeeds, NewExperiment
from api.experiments.templates import Template, templates
from api.http.after_commit import delete_later, ring_later
from api.http.clients import token_id
from api.http.errors import problems
from api.http.heavy import heavy
from api.http.idempotency import IdempotencyKey
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import json_response
from api.kinds.names import ProbeName
from api.registration import Accepted
from store.database import reading, writing
from store.models import Evaluation, Experiment, Job
from store.repositories import experiments

log = logging.getLogger(__name__)
router = APIRouter(prefix="/experiments", tags=["experiments"], route_class=Guarded)

_MEDIA = {"csv": ("text/csv", "csv"), "markdown": ("text/markdown", "md"), "latex": ("application/x-tex", "tex")}
_RESULTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The results. In Markdown and LaTeX, without classes unless `classes` is true.",
        "content": {media: {"schema": {"type": "string"}} for media, _ in _MEDIA.values()},
    }
}


def _accepted(shown: ExperimentInfo, response: Response) -> Accepted:
    response.headers["Location"] = f"/api/v1/experiments/{shown.id}"
    return Accepted(id=shown.id, status=shown.status)


@router.post("", status_code=202, responses=problems(409, 415))
def submit_experiment(
    wanted: NewExperiment,
    request: Request,
    background: BackgroundTasks,
    response: Response,
    idempotency_key: IdempotencyKey,
) -> Accepted:
    """Queue a job for each arm, data set and seed: all of them, or none.

    Every combination is checked as `POST /jobs` checks a job. The jobs are ordinary jobs. A
    backbone gets an evaluation for each data set and kind instead, unless it has an equal one.
    """
    with writing() as session:
        experiment = submission.submit(session, wanted, idempotency_key, token_id(request))
        shown = progress.shown(session, experiment)
    log.info("experiment %s accepted with %d jobs and evaluations of backbones", shown.id, shown.total)
    ring_later(background, Job.bell)
    ring_later(background, Evaluation.bell)
    return _accepted(shown, response)


@router.get("")
def list_experiments(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[ExperimentInfo]:
    """List experiments, newest first."""
    with reading() as session:

        def show(row: Experiment) -> ExperimentInfo:
            return progress.shown(session, row)

        return Page[ExperimentInfo].of(experiments.page(session, limit, cursor), show)


# Before `/{experiment_id}`, which would answer this address.
@router.get("/templates")
def list_experiment_templates() -> list[Template]:
    """List the bundled experiments: what each one compares."""
    return list(templates().values())


@router.post("/estimate", responses=problems(409, 415))
def estimate_experiment(wanted: NewExperiment) -> ExperimentEstimate:
    """Estimate what an experiment would need, without submitting it: its arms with all settings,
    and the cost of all jobs together.

    `large` says what would need `accept_cost`. Other errors are those of a submission.
    """
    with reading() as session:
        return submission.estimated(session, wanted)


@router.get("/{experiment_id}", responses=problems(404))
def get_experiment(experiment_id: str) -> ExperimentDetails:
    """Get one experiment: its arms, its jobs and how far they are."""
    with reading() as session:
        return progress.details(session, experiment_id)


@router.delete("/{experiment_id}", status_code=204, responses=problems(404, 409))
def delete_experiment(
    experiment_id: str,
    background: BackgroundTasks,
    with_jobs: Annotated[
        bool, Query(description="Delete its jobs too, with their results. Refused while one runs. Default: they stay.")
    ] = False,
) -> None:
    """Delete an experiment. Its jobs stay as ordinary jobs, unless `with_jobs` is true.

    Backbones and their evaluations stay.
    """
    with writing() as session:
        folders = service.remove(session, experiment_id, with_jobs)
    for folder in folders:
        delete_later(background, folder)


@router.post("/{experiment_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_experiment(experiment_id: str, response: Response) -> Accepted:
    """Cancel all jobs of an experiment that wait or run.

    Evaluations of backbones, which others may have asked for too, are not cancelled.
    """
    with writing() as session:
        shown = progress.shown(session, service.cancel(session, experiment_id))
    return _accepted(shown, response)


@router.post("/{experiment_id}/resume", status_code=202, responses=problems(404, 409))
def resume_experiment(
    experiment_id: str, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Queue the cancelled and failed jobs of an experiment again, and new ones for those that were
    deleted. So with evaluations of its backbones."""
    with writing() as session:
        shown = progress.shown(session, submission.resume(session, experiment_id, token_id(request)))
    ring_later(background, Job.bell)
    ring_later(background, Evaluation.bell)
    return _accepted(shown, response)


@router.post("/{experiment_id}/seeds", status_code=202, responses=problems(404, 409, 415))
def add_experiment_seeds(
    experiment_id: str, wanted: MoreSeeds, request: Request, background: BackgroundTasks, response: Response
) -> Accepted:
    """Add seeds to an experiment: a job for each arm and data set, all or none."""
    with writing() as session:
        shown = progress.shown(session, submission.add_seeds(session, experiment_id, wanted, token_id(request)))
    ring_later(background, Job.bell)
    return _accepted(shown, response)


@router.get("/{experiment_id}/results", response_model=Results, responses=_RESULTS | problems(404))
@heavy
def get_experiment_results(
    experiment_id: str,
    evaluation: Annotated[ProbeName | None, Query(description="Default: the experiment's first.")] = None,
    baseline: Annotated[
        str | None, Query(min_length=1, max_length=100, description="Name of an arm. Default: the experiment's.")
    ] = None,
    format: Annotated[ResultFormat, Query()] = "json",
    classes: Annotated[
        bool | None,
        Query(description="Whether classes have rows too. Default: in JSON, if they fit into 2 MiB, and in CSV."),
    ] = None,
) -> Response:
    """Get the arms' means, and their differences to a baseline with 95 % t intervals.

    Runs with the same data set and seed make a pair. What is missing is named, and is in no pair.
    """
    with reading() as session:
        found = results(session, experiment_id, evaluation, baseline)
    if classes is False or (classes is None and format in ("markdown", "latex")):
        found = without_classes(found)
    if format == "json":
        return json_response(bounded(found))
    write = {"csv": tables.as_csv, "markdown": tables.as_markdown, "latex": tables.as_latex}[format]
    media, ending = _MEDIA[format]
    headers = {"Content-Disposition": f'attachment; filename="experiment-{experiment_id[:64]}.{ending}"'}
    return Response(write(found), media_type=media, headers=headers)
