"""Submitting jobs: what is checked before a job is queued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api import queues
from api.http.errors import Conflict, Unprocessable
from api.http.idempotency import earlier
from api.jobs.cost import estimate
from api.jobs.estimate import JobEstimate
from api.jobs.overlap import data_warnings
from api.jobs.schemas import JobForecast, NewJob
from api.jobs.start import Start
from api.registration import named_ready
from api.workers.service import lacking, lacking_hosts
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from colt_core.samplers.kinds import samplers
from colt_core.training.beginning import Beginning
from store.costs import ACCEPT
from store.models import Dataset, Job, OodPool, RegisteredImages
from store.repositories import jobs, turns
from store.repositories.pace import seconds_per_step
from store.repositories.turns import Place

# What to choose where no worker has the devices for a setting.
_INSTEAD = {
    "device": "choose 'auto' or 'cpu'",
    "num_processes": "choose fewer, or device 'cpu'",
    "num_hosts": "choose fewer",
}
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
    if (before := earlier(session, Job, idempotency_key, fingerprint)) is not None:
        return before
    start = Start.named(session, wanted.start_from, hold=True)
    fitting = check(session, wanted, config, start)
    if (refusal := fitting.too_much) is not None:
        raise refusal
    job = fitting.row(queues.place(session, Job, submitter))
    job.idempotency_key, job.request_sha256 = idempotency_key, fingerprint
    if not jobs.add(session, job):
        if (before := earlier(session, Job, idempotency_key, fingerprint)) is not None:
            return before
        raise data_gone()
    return job


@dataclass(frozen=True, slots=True)
class Fitting:
    """A job that its data, its start and the workers suit, with all that the checks found."""

    wanted: NewJob
    config: PretrainConfig
    dataset: Dataset
    pool: OodPool | None
    evaluated: Dataset
    evaluations: list[str]
    start: Start | None
    cost: JobEstimate
    warnings: list[dict[str, Any]]

    @property
    def too_much(self) -> Unprocessable | None:
        """The refusal of the job for its cost, with the estimate. None: it is not too much."""
        told = [(problem.pointer, problem.detail) for problem in self.cost.misfits]
        if not self.wanted.accept_cost:
            told += [(problem.pointer, f"{problem.detail}: make it smaller, {ACCEPT}") for problem in self.cost.large]
        if not told:
            return None
        refusal = Unprocessable(*told)
        refusal.estimate = self.cost.model_dump(mode="json")
        return refusal

    def row(self, place: Place, group: str | None = None) -> Job:
        """The job as it is queued.

        Args:
            group: id of what it belongs to, such as an experiment. Jobs of one group that are equal
                before their first sampling round share that beginning. None: it shares none.
        """
        wanted, config, start = self.wanted, self.config, self.start
        return Job(
            **place.columns,
            name=wanted.name or f"{config.framework.kind}-{config.sampler.kind} on {self.dataset.name}"[:100],
            tags=wanted.tags,
            notes=wanted.notes,
            dataset_id=self.dataset.id,
            ood_pool_id=None if self.pool is None else self.pool.id,
            evaluation_dataset_id=wanted.evaluation_dataset_id,
            config=config.model_dump(mode="json"),
            framework=config.framework.kind,
            sampler=config.sampler.kind,
            evaluations=self.evaluations,
            warnings=self.warnings,
            estimate=self.cost.model_dump(mode="json"),
            **({} if start is None else start.columns),
            beginning=None if group is None else _beginning(config, self.dataset, start, group),
            epochs=config.epochs,
        )


def check(session: Session, wanted: NewJob, config: PretrainConfig, start: Start | None = None) -> Fitting:
    """Check a job, but not whether its cost is too much.

    Raises:
        Unprocessable: the job would fail later.
        Conflict: its data are not ready.
    """
    dataset, pool, evaluated, evaluations = _checked(session, wanted, config, start)
    cost = estimate(session, config, dataset, pool, evaluated if evaluations else None)
    warnings = data_warnings(session, dataset, pool, evaluated)
    return Fitting(wanted, config, dataset, pool, evaluated, evaluations, start, cost, warnings)


def data_gone() -> Conflict:
    """The refusal of a job whose row could not be written."""
    return Conflict("The data set, the OOD pool, the checkpoint or the backbone was deleted in the meantime.")


def _beginning(config: PretrainConfig, dataset: Dataset, start: Start | None, group: str) -> str | None:
    """What names the beginning that the job shares; None if it has none to share."""
    beginning = Beginning.of(config, (dataset.split_sizes or {}).get("train", 0))
    if beginning is None:
        return None
    of = [group, dataset.id, None if start is None else start.columns, beginning.digest]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


def estimated(session: Session, wanted: NewJob) -> JobForecast:
    """What a job would need, and what its settings resolve to.

    Raises:
        RequestValidationError, Unprocessable, Conflict: as `submit`, but not for its cost.
    """
    config = resolve(wanted.config)
    start = Start.named(session, wanted.start_from)
    cost = check(session, wanted, config, start).cost
    resolved = config.model_dump(mode="json")
    pace = seconds_per_step(session, wanted.dataset_id, resolved)
    return JobForecast(**dict(cost), config=resolved, seconds=None if pace is None else pace * cost.steps)


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


def _fingerprint(wanted: NewJob) -> str:
    # A key that an earlier version stored must still fit its request.
    unsaid = {name for name in _ADDED if getattr(wanted, name) == NewJob.model_fields[name].default}
    said = wanted.model_dump(mode="json", exclude=unsaid)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _misfits(config: PretrainConfig, dataset: Dataset, pool: OodPool | None) -> Iterator[tuple[str, str]]:
    num_pool = None if pool is None else pool.num_samples
    if pool is not None and not config.sampler.uses_pool:
        able = ", ".join(kind for kind, settings in samplers.items() if settings.uses_pool)
        yield "/ood_pool_id", f"sampler '{config.sampler.kind}' reads no pool: leave it out, or choose one of {able}"
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
    lack = lacking(session, config.device, config.processes_per_host) or lacking_hosts(session, config)
    if lack is not None:
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
