"""Rules of jobs: what can be queued, cancelled, resumed and deleted."""

from __future__ import annotations

import hashlib
import json

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.http.errors import Conflict, NotFound, Unprocessable
from api.jobs.schemas import NewJob
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store.models import Checkpoint, Dataset, Job, OodPool, utc_now
from store.repositories import checkpoints, jobs, registrations
from store.repositories.registrations import R
from store.statuses import RegistrationStatus, WorkStatus


def find(session: Session, job_id: str) -> Job:
    """The job.

    Raises:
        NotFound: there is none.
    """
    return _found(jobs.get(session, job_id), job_id)


def lock(session: Session, job_id: str) -> Job:
    """The job, locked for this transaction.

    Under the lock, its trainer cannot remove the checkpoint that work is being queued for.

    Raises:
        NotFound: there is none.
    """
    return _found(jobs.lock(session, job_id), job_id)


def find_checkpoint(session: Session, job_id: str, checkpoint_id: str | None) -> Checkpoint:
    """One of the job's checkpoints. Default: the last.

    Raises:
        Conflict: the job has no checkpoint yet.
        Unprocessable: the checkpoint is of another job.
    """
    if checkpoint_id is None:
        latest = checkpoints.latest(session, job_id)
        if latest is None:
            raise Conflict("This job has no checkpoint yet.")
        return latest
    named = checkpoints.get(session, checkpoint_id)
    if named is None or named.job_id != job_id:
        raise Unprocessable(
            ("/checkpoint_id", "This job has no such checkpoint. GET /jobs/ID/checkpoints lists those it has.")
        )
    return named


def submit(session: Session, wanted: NewJob, idempotency_key: str | None) -> Job:
    """Queue a job. A request with an idempotency key that was used before queues nothing.

    Raises:
        RequestValidationError, Unprocessable: the job would fail later.
        Conflict: its data are not ready, or the key belongs to another request.
    """
    config = resolve(wanted.config)  # first: it refuses nested values, which could be too deep for the rest
    fingerprint = _fingerprint(wanted)
    if idempotency_key is not None and (earlier := jobs.with_key(session, idempotency_key)) is not None:
        return _same_request(earlier, fingerprint)
    dataset = _ready(session, Dataset, wanted.dataset_id, "dataset_id")
    pool = None if wanted.ood_pool_id is None else _ready(session, OodPool, wanted.ood_pool_id, "ood_pool_id")
    _check_fit(config, wanted, dataset, pool)
    job = Job(
        name=wanted.name or f"{config.framework.kind}-{config.sampler.kind} on {dataset.name}"[:100],
        tags=wanted.tags,
        dataset_id=dataset.id,
        ood_pool_id=None if pool is None else pool.id,
        config=config.model_dump(mode="json"),
        framework=config.framework.kind,
        sampler=config.sampler.kind,
        evaluations=wanted.evaluations,
        epochs=config.epochs,
        idempotency_key=idempotency_key,
        request_sha256=fingerprint,
    )
    if not jobs.add(session, job):
        if idempotency_key is not None and (earlier := jobs.with_key(session, idempotency_key)) is not None:
            return _same_request(earlier, fingerprint)
        raise Conflict("The data set or OOD pool was deleted in the meantime.")
    return job


def resolve(settings: dict[str, object]) -> PretrainConfig:
    """The configuration of the run.

    Raises:
        RequestValidationError: a setting is unknown, or values are out of range or do not go
            together.
    """
    try:
        return PretrainConfig.resolve(settings)
    except ValidationError as error:
        wrong = [{**item, "loc": ("body", "config", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(wrong, body={"config": settings}) from error


def cancel(session: Session, job_id: str) -> Job:
    """Stop a job: at once while it is queued. A running job writes a checkpoint first.

    Raises:
        NotFound, Conflict
    """
    job = find(session, job_id)
    return _moved(session, job, jobs.cancel(session, job_id), "only a queued or running job can be cancelled")


def resume(session: Session, job_id: str) -> Job:
    """Queue a stopped job again. It resumes from its last checkpoint.

    Raises:
        NotFound, Conflict
    """
    job = find(session, job_id)
    queued = jobs.transition(
        session,
        job_id,
        {WorkStatus.CANCELLED, WorkStatus.FAILED},
        WorkStatus.QUEUED,
        attempts=0,
        faults=0,
        error=None,
        finished_at=None,
        queued_at=utc_now(),
    )
    return _moved(session, job, queued, "only a cancelled or failed job can be resumed")


def remove(session: Session, job_id: str) -> str:
    """Delete a job that does not run, with everything it recorded.

    Returns:
        The key of its artifacts, to be deleted after the commit.

    Raises:
        NotFound, Conflict
    """
    job = find(session, job_id)
    if not jobs.remove(session, job_id):
        session.refresh(job)
        cancelling = job.status == WorkStatus.CANCELLING
        advice = "delete it once it is cancelled" if cancelling else "cancel it first, then delete it"
        raise Conflict(f"The job is {job.status}; {advice}.")
    return f"jobs/{job_id}"


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"There is no job {job_id[:64]}.")
    return job


def _moved(session: Session, job: Job, moved: bool, rule: str) -> Job:
    session.refresh(job)
    if not moved:
        raise Conflict(f"The job is {job.status}; {rule}.")
    return job


def _fingerprint(wanted: NewJob) -> str:
    return hashlib.sha256(json.dumps(wanted.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def _same_request(earlier: Job, fingerprint: str) -> Job:
    if earlier.request_sha256 != fingerprint:
        raise Conflict("This Idempotency-Key was used before with another body. Choose a new key.")
    return earlier


def _ready(session: Session, model: type[R], row_id: str, field: str) -> R:
    row = registrations.get(session, model, row_id)
    if row is None:
        raise Unprocessable((f"/{field}", "does not exist; check the id"))
    if row.status == RegistrationStatus.REGISTERING:
        raise Conflict(f"{field} '{row.name}' is still registering. Submit the job when its status is 'ready'.")
    if row.status != RegistrationStatus.READY:
        raise Unprocessable((f"/{field}", f"'{row.name}' failed to register; its `problem` says why"))
    return row


def _check_fit(config: PretrainConfig, wanted: NewJob, dataset: Dataset, pool: OodPool | None) -> None:
    splits = dataset.split_sizes or {}
    num_pool = None if pool is None else pool.num_samples
    problems = [(f"/config/{field}", what) for field, what in config.data_problems(splits.get("train", 0), num_pool)]
    if pool is not None and pool.image_size != dataset.image_size:
        sizes = f"its images have {pool.image_size} px, those of the data set {dataset.image_size} px"
        problems.append(("/ood_pool_id", f"{sizes}; register the pool with image_size {dataset.image_size}"))
    for position, kind in enumerate(wanted.evaluations):
        probe = ProbeSettings(kind=kind)
        if (problem := probe.problem(*dataset.sizes)) is not None:
            problems.append((f"/evaluations/{position}", problem[1]))
    if problems:
        raise Unprocessable(*problems)
