"""Jobs: pretraining runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.access.auth import Guarded, is_allowed, only_reads
from api.http.after_commit import delete_later, ring_later
from api.http.clients import token_id
from api.http.downloads import text_response
from api.http.errors import Unprocessable, problems
from api.http.heavy import heavy
from api.http.idempotency import IdempotencyKey
from api.http.pages import DEFAULT_LIMIT, Cursor, Limit, Page
from api.http.responses import EVENT_STREAM, TEXT, json_response
from api.http.threads import in_thread
from api.jobs import bulk, service, submission
from api.jobs.bulk import CancelledJobs, JobsToCancel
from api.jobs.schemas import Curve, JobChanges, JobDetails, JobForecast, JobGroup, JobInfo, NewJob, Order, Profile
from api.kinds.names import FrameworkName, SamplerName
from api.registration import Accepted
from store.database import reading, writing
from store.models import Job
from store.repositories import events, jobs, metrics, profile, settings_groups
from store.statuses import WorkStatus

log = logging.getLogger(__name__)
router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=Guarded)


def _accepted(job: Job, response: Response) -> Accepted:
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Accepted(id=job.id, status=job.status)


@router.post("", status_code=202, responses=problems(409, 415))
def submit_job(
    wanted: NewJob,
    request: Request,
    background: BackgroundTasks,
    response: Response,
    idempotency_key: IdempotencyKey,
) -> Accepted:
    """Queue a pretraining run. A request that would fail later is refused now, if that can be
    known. So is one that is large, unless `accept_cost` is true; the answer then holds the
    `estimate`."""
    with writing() as session:
        job = submission.submit(session, wanted, idempotency_key, token_id(request))
    log.info("job accepted", extra={"job_id": job.id})
    ring_later(background, Job.bell)
    return _accepted(job, response)


@router.get("")
def list_jobs(
    status: Annotated[WorkStatus | None, Query()] = None,
    dataset_id: Annotated[str | None, Query(max_length=64)] = None,
    sampler: Annotated[SamplerName | None, Query()] = None,
    framework: Annotated[FrameworkName | None, Query()] = None,
    tag: Annotated[str | None, Query(max_length=50)] = None,
    name: Annotated[
        str | None, Query(min_length=1, max_length=100, description="A part of the name. A to Z match in either case.")
    ] = None,
    order: Annotated[
        Order,
        Query(description="A leading `-` sorts in descending order. Jobs without the value come last in both."),
    ] = "-created_at",
    group_by: Annotated[
        Literal["settings"] | None,
        Query(description="One item for jobs that differ by their seed alone, that of the newest job first."),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[JobInfo] | Page[JobGroup]:
    """List jobs with their latest values."""
    wanted = jobs.JobFilter(status, dataset_id, sampler, framework, tag, name)
    if group_by is not None:
        return _groups(wanted, order, limit, cursor)
    column = "created_at" if order.endswith("created") else order.removeprefix("-")
    with reading() as session:
        found = jobs.page(session, wanted, f"-{column}" if order.startswith("-") else column, limit, cursor)
        return Page[JobInfo].of(found, JobInfo.of)


def _groups(wanted: jobs.JobFilter, order: Order, limit: int, cursor: str | None) -> Page[JobGroup]:
    if order not in ("-created_at", "-created"):
        raise Unprocessable(("?order", "groups come by their newest job alone; leave order out, or group_by"))
    with reading() as session:
        return Page[JobGroup].of(settings_groups.page(session, wanted, limit, cursor), JobGroup.of_group)


@router.post("/estimate", responses=problems(409, 415))
@only_reads
def estimate_job(wanted: NewJob) -> JobForecast:
    """Estimate what a job would need, and what its settings resolve to, without submitting it.

    `misfits` says why it cannot run, `large` what would need `accept_cost`. Other errors are those
    of a submission. The scope `read` is enough.
    """
    with reading() as session:
        return submission.estimated(session, wanted)


# Before `/{job_id}`, which would answer other methods of this address.
@router.post("/cancel", responses=problems(415))
def cancel_jobs(wanted: JobsToCancel, request: Request) -> CancelledJobs:
    """Cancel many jobs at once: these ids, or all that fit the filters."""
    with writing() as session:
        return bulk.cancel(session, wanted, token_id(request))


@router.get("/{job_id}", responses=problems(404))
def get_job(job_id: str) -> JobDetails:
    """Get one job: its status, its whole configuration, its progress and its estimate."""
    with reading() as session:
        return service.details(session, job_id)


@router.patch("/{job_id}", responses=problems(404, 415))
def change_job(job_id: str, changes: JobChanges) -> JobDetails:
    """Rename a job, or change its tags and notes, in any status."""
    with writing() as session:
        service.change(session, job_id, changes)
        return service.details(session, job_id)


@router.delete("/{job_id}", status_code=204, responses=problems(404, 409))
def delete_job(job_id: str, background: BackgroundTasks) -> None:
    """Delete a job with its results and checkpoints. Refused while it runs."""
    with writing() as session:
        folder = service.remove(session, job_id)
    delete_later(background, folder)


@router.post("/{job_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_job(job_id: str, response: Response) -> Accepted:
    """Cancel a job. A running job is `cancelling` until its last checkpoint is written, then
    `cancelled`."""
    with writing() as session:
        job = service.cancel(session, job_id)
    return _accepted(job, response)


@router.post("/{job_id}/resume", status_code=202, responses=problems(404, 409))
def resume_job(job_id: str, request: Request, background: BackgroundTasks, response: Response) -> Accepted:
    """Queue a cancelled or failed job again. It resumes from its last checkpoint."""
    with writing() as session:
        job = service.resume(session, job_id, token_id(request))
    ring_later(background, Job.bell)
    return _accepted(job, response)


async def _existing(job_id: str) -> str:
    # Looked up before the stream begins, so that the stream holds no database session.
    def look_up() -> str:
        with reading() as session:
            return service.find(session, job_id).id

    return await in_thread(look_up)


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses=EVENT_STREAM | problems(404),
)
async def stream_job_events(
    job_id: Annotated[str, Depends(_existing, scope="function")],
    request: Request,
    last_event_id: Annotated[int | None, Header(ge=0, lt=2**63, description="Resume after this event.")] = None,
    follow: Annotated[bool, Query(description="false: the events so far, then `end`.")] = True,
) -> AsyncIterator[ServerSentEvent]:
    """Stream the events of a job, from its first: `status`, `progress`, `metric`, `round`,
    `warning`, `evaluation`, `analysis` and `log`.

    When the job is in a final status and all events were sent, an `end` event closes the stream. Do
    not reconnect then.
    """
    feed = request.app.state.feed
    async for event in feed.follow(job_id, last_event_id or 0, lambda: is_allowed(request), stay=follow):
        yield event


@router.get("/{job_id}/log", response_class=Response, responses=TEXT | problems(404, 416))
def get_job_log(
    job_id: str,
    request: Request,
    last: Annotated[int | None, Query(ge=1, le=10_000, description="At most so many lines, the newest.")] = None,
    after_event: Annotated[int, Query(ge=0, lt=2**63, description="Only lines of later events.")] = 0,
) -> Response:
    """Get a job's log: a line for what happened, each after its time."""
    with reading() as session:
        service.find(session, job_id)
        lines = events.log_lines(session, job_id, after_event, last)
    text = "".join(f"{time:%Y-%m-%dT%H:%M:%SZ} {line}\n" for time, line in lines)
    return text_response(request, text.encode(), f"log-{job_id}.txt")


@router.get("/{job_id}/metrics", response_model=dict[str, Curve], responses=problems(404))
@heavy
def get_job_metrics(
    job_id: str,
    name: Annotated[list[str] | None, Query(max_length=100, description="Curves to return. Default: all.")] = None,
    max_points: Annotated[
        int, Query(ge=4, le=100_000, description="At most this many points per curve. Peaks and both ends are kept.")
    ] = 1000,
    after_step: Annotated[
        int, Query(ge=-1, lt=2**63, description="Only points of later steps. A curve without one is left out.")
    ] = -1,
) -> Response:
    """Get a job's curves by name.

    - One point per step: `loss`, `contrastive_loss`, `distribution_loss` and `learning_rate`.
    - One point per epoch: `epoch_loss`, and the duration `epoch_seconds`.
    - One point per epoch, for the parts of that duration: `data_seconds`,
      `forward_backward_seconds`, `tailness_seconds` and `round_seconds`.
    - One point at the end: `evaluation_seconds`.
    """
    with reading() as session:
        service.find(session, job_id)
        curves = metrics.series(session, job_id, name or [], max_points, after_step)
    return json_response({name: Curve.of(curve) for name, curve in curves.items()})


@router.get("/{job_id}/profile", responses=problems(404))
@heavy
def get_job_profile(job_id: str) -> Profile:
    """Get where the run's time went: the sums of its `*_seconds` curves."""
    with reading() as session:
        service.find(session, job_id)
        spent = profile.spent(session, job_id)
        return Profile(epochs=spent.epochs, **spent.phases, other=spent.other, evaluation=spent.evaluation)
