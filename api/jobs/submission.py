"""Submitting jobs: what is checked before a job is queued."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Sequence

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api import queues
from api.http.errors import Conflict, Unprocessable
from api.jobs.cost import estimate
from api.jobs.estimate import JobEstimate
from api.jobs.overlap import data_warnings
from api.jobs.schemas import NewJob
from api.jobs.start import Start
from api.registration import named_ready
from api.workers.service import lacking
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store.costs import ACCEPT
from store.models import Dataset, Job, OodPool, RegisteredImages, utc_now
from store.repositories import jobs, turns
from store.settings import get_settings

# What to choose where no worker has the devices for a setting.
_INSTEAD = {"device": "choose 'auto' or 'cpu'", "num_processes": "choose fewer, or device 'cpu'"}
# Fields of a request that earlier versions did not have.
_ADDED = ("notes", "start_from", "evaluation_dataset_id", "accept_cost")


def submit(session: Session, wanted: NewJob, idempotency_key: str | None, submitter: str | None = None) -> Job:
    """Queue a job. A request with an idempotency key that was used before queues nothing.

    Args:
        submitter: id of the token that submits it; None without a token.

    Raises:
        TooManyRequests: the token has too many that wait.
        RequestValidationError, Unprocessable: the job would fail later.
        Conflict: its data are not ready, or the key belongs to another request.
    """
    config = resolve(wanted.config)  # first: it refuses nested values, which could be too deep for the rest
    turns.lock(session, submitter)
    fingerprint = _fingerprint(wanted)
    if idempotency_key is not None and (earlier := _with_key(session, idempotency_key)) is not None:
        return _same_request(earlier, fingerprint)
    start = Start.named(session, wanted.start_from, hold=True)
    dataset, pool, evaluated, evaluations = _checked(session, wanted, config, start)
    cost = estimate(session, config, dataset, pool, evaluated if evaluations else None)
    if cost.misfits or (cost.large and not wanted.accept_cost):
        raise _too_much(cost)
    job = Job(
        **queues.place(session, Job, submitter).columns,
        name=wanted.name or f"{config.framework.kind}-{config.sampler.kind} on {dataset.name}"[:100],
        tags=wanted.tags,
        notes=wanted.notes,
        dataset_id=dataset.id,
        ood_pool_id=None if pool is None else pool.id,
        evaluation_dataset_id=wanted.evaluation_dataset_id,
        config=config.model_dump(mode="json"),
        framework=config.framework.kind,
        sampler=config.sampler.kind,
        evaluations=evaluations,
        warnings=data_warnings(dataset, pool, evaluated),
        estimate=cost.model_dump(mode="json"),
        **({} if start is None else start.columns),
        epochs=config.epochs,
        idempotency_key=idempotency_key,
        request_sha256=fingerprint,
    )
    if not jobs.add(session, job):
        if idempotency_key is not None and (earlier := _with_key(session, idempotency_key)) is not None:
            return _same_request(earlier, fingerprint)
        raise Conflict("The data set, the OOD pool, the checkpoint or the backbone was deleted in the meantime.")
    return job


def estimated(session: Session, wanted: NewJob) -> JobEstimate:
    """What a job would need.

    Raises:
        RequestValidationError, Unprocessable, Conflict: as `submit`, but not for its cost.
    """
    config = resolve(wanted.config)
    start = Start.named(session, wanted.start_from)
    dataset, pool, evaluated, evaluations = _checked(session, wanted, config, start)
    return estimate(session, config, dataset, pool, evaluated if evaluations else None)


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


def _checked(
    session: Session, wanted: NewJob, config: PretrainConfig, start: Start | None
) -> tuple[Dataset, OodPool | None, Dataset, list[str]]:
    """The job's data set, pool, data set to evaluate on, and evaluations.

    Raises:
        Unprocessable: the job would fail later.
        Conflict: its data are not ready.
    """
    dataset = named_ready(session, Dataset, wanted.dataset_id, "/dataset_id")
    pool = None if wanted.ood_pool_id is None else named_ready(session, OodPool, wanted.ood_pool_id, "/ood_pool_id")
    evaluated = dataset
    if wanted.evaluation_dataset_id is not None:
        evaluated = named_ready(session, Dataset, wanted.evaluation_dataset_id, "/evaluation_dataset_id")
    evaluations = wanted.evaluations
    if "evaluations" not in wanted.model_fields_set and evaluated.labels and not evaluated.can_evaluate:
        evaluations = []  # they were registered without a test part on purpose
    problems = [
        *_misfits(config, dataset, pool),
        *_misfits_of_start_and_workers(session, config, start),
        *_misfits_of_evaluations(evaluations, dataset, evaluated),
    ]
    if problems:
        raise Unprocessable(*problems)
    return dataset, pool, evaluated, evaluations


def _too_much(cost: JobEstimate) -> Unprocessable:
    """The refusal of a job for its cost, which shows the estimate."""
    told = [(problem.pointer, problem.detail) for problem in cost.misfits]
    told += [(problem.pointer, f"{problem.detail}: make it smaller, {ACCEPT}") for problem in cost.large]
    refusal = Unprocessable(*told)
    refusal.estimate = cost.model_dump(mode="json")
    return refusal


def _with_key(session: Session, idempotency_key: str) -> Job | None:
    since = utc_now() - dt.timedelta(seconds=get_settings().idempotency_seconds)
    return jobs.with_key(session, idempotency_key, since)


def _fingerprint(wanted: NewJob) -> str:
    # A key that an earlier version stored must still fit its request.
    unsaid = {name for name in _ADDED if getattr(wanted, name) == NewJob.model_fields[name].default}
    said = wanted.model_dump(mode="json", exclude=unsaid)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _same_request(earlier: Job, fingerprint: str) -> Job:
    if earlier.request_sha256 != fingerprint:
        raise Conflict("This Idempotency-Key was used before with another body. Choose a new key.")
    return earlier


def _misfits(config: PretrainConfig, dataset: Dataset, pool: OodPool | None) -> Iterator[tuple[str, str]]:
    num_pool = None if pool is None else pool.num_samples
    for field, what in config.data_problems((dataset.split_sizes or {}).get("train", 0), num_pool):
        yield f"/config/{field}", what
    if pool is not None and pool.image_size != dataset.image_size:
        yield "/ood_pool_id", _other_size("pool", pool, dataset)


def _misfits_of_start_and_workers(
    session: Session, config: PretrainConfig, start: Start | None
) -> Iterator[tuple[str, str]]:
    if start is not None:
        for field, what in config.encoder_problems(start.architecture):
            yield f"/config/{field}", what
    if (lack := lacking(session, config.device, config.num_processes)) is not None:
        setting, what = lack
        yield f"/config/{setting}", f"{what}: {_INSTEAD[setting]}, or start a worker that has"


def _misfits_of_evaluations(
    evaluations: Sequence[str], dataset: Dataset, evaluated: Dataset
) -> Iterator[tuple[str, str]]:
    if evaluated.image_size != dataset.image_size:
        yield "/evaluation_dataset_id", _other_size("data set", evaluated, dataset)
    lack = evaluated.no_evaluation
    if lack is not None and (evaluations or evaluated is not dataset):
        instead = "name a data set with labels and a test part, or ask for no evaluations"
        yield "/evaluation_dataset_id", f"{lack}: {instead}"
        return
    for position, kind in enumerate(evaluations):
        problem = ProbeSettings(kind=kind).problem(*evaluated.sizes)
        if problem is not None:
            yield f"/evaluations/{position}", problem[1]


def _other_size(noun: str, row: RegisteredImages, dataset: Dataset) -> str:
    sizes = f"its images have {row.image_size} px, those of the data set {dataset.image_size} px"
    return f"{sizes}; register the {noun} with image_size {dataset.image_size}"
