"""What the record of a run holds. Nothing in it names a path, a machine or a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.analyses.schemas import AnalysisWithResult
from api.attempts.schemas import AttemptInfo
from api.checkpoints.schemas import CheckpointInfo
from api.datasets.schemas import DatasetInfo
from api.evaluations.schemas import EvaluationInfo
from api.jobs.schemas import Compute, JobDetails
from api.jobs.service import find
from api.ood_pools.schemas import OodPoolInfo
from api.records import card, readme, tables
from api.records.card import Known
from api.records.files import RecordFile, document, fields_of, listed, table, zipped
from api.rounds import service as rounds_service
from api.rounds.schemas import RoundDetails
from colt_core.config import PretrainConfig
from colt_core.version import installed_version
from store.database import reading
from store.models import Analysis, Dataset, Evaluation, Job, OodPool, RegisteredImages, utc_now
from store.repositories import attempts, checkpoint_work, checkpoints, registrations, rounds
from store.repositories.pages import LARGE_ROWS, SMALL_ROWS, Slice

R = TypeVar("R")
T = TypeVar("T")
_OF_NOW = ("progress", "problem")  # of a registration
_WARNING = {
    "about": "`job`, `evaluation ID`, or the file that describes the data.",
    "code": "A stable word for scripts.",
    "detail": "What was found, what follows, what to do.",
    "count": "How many images, classes or files it concerns.",
    "examples": "Some of them: names, or indices of images.",
}


def record(session: Session, job_id: str) -> Iterator[bytes]:
    """The archive, in pieces.

    Long parts are read while it is sent, each block in a session of its own. So a slow client holds
    no connection. The record of a job that runs may be of several moments.

    Raises:
        NotFound: there is no such job.
    """
    job, now = find(session, job_id), utc_now()
    dataset = registrations.get(session, Dataset, job.dataset_id)
    assert dataset is not None  # a foreign key says so
    other = None if job.evaluation_dataset_id is None else registrations.get(session, Dataset, job.evaluated_on)
    pool = None if job.ood_pool_id is None else registrations.get(session, OodPool, job.ood_pool_id)
    rows = {"dataset.json": dataset, "evaluation-dataset.json": other, "pool.json": pool}
    described: dict[str, RegisteredImages] = {name: row for name, row in rows.items() if row is not None}
    known = Known.of(session, job, dataset, other or dataset, pool, now)
    found = card.write(known)
    files = [
        RecordFile("model-card.md", "What was trained, how, on what, and how well it does.", {}, lambda: [found]),
        *_about_the_run(job),
        *(_about_data(name, row) for name, row in described.items()),
        *_measured(job, known.evaluated),
        _warnings(job, described),
    ]
    return zipped([readme.write(job.name, job.status, now, files), *files], now)


def _about_the_run(job: Job) -> list[RecordFile]:
    shown = JobDetails.of(job, last_event_id=0)
    without = ("config", "queue_position", "last_event_id", "warnings", "compute")
    about = document(shown.model_dump(mode="json", exclude=set(without)))
    config = PretrainConfig.from_stored(job.config)
    settings = document(shown.config)
    environment = document(
        {"compute": shown.compute and shown.compute.model_dump(mode="json"), "recorded_by": installed_version()}
    )
    described = {name: field.description or "" for name, field in type(config).model_fields.items()}
    of_kinds = {
        name: field.description or ""
        for settings in (config.framework, config.sampler)
        for name, field in type(settings).model_fields.items()
    }
    return [
        RecordFile(
            "job.json",
            "Status, times and the latest values of the run.",
            fields_of(JobDetails, without),
            lambda: [about],
        ),
        RecordFile(
            "config.json",
            "Every setting that the run reads, resolved.",
            {name: (described | of_kinds).get(name, "") for name in shown.config},
            lambda: [settings],
        ),
        RecordFile(
            "environment.json",
            "What the run computed on, at its last start.",
            {
                "compute": "Null before the first start. Its fields: "
                + ", ".join(f"`{name}`" for name in Compute.model_fields),
                "recorded_by": "The version of COLT Studio that wrote this record.",
            },
            lambda: [environment],
        ),
        RecordFile(
            "attempts.json",
            "Each start of the job, and how it ended.",
            fields_of(AttemptInfo, ["worker_id"]),
            lambda: listed(
                _each(
                    lambda session, cursor: attempts.page(session, job.id, SMALL_ROWS, cursor),
                    lambda row: AttemptInfo.model_validate(row).model_dump(mode="json", exclude={"worker_id"}),
                )
            ),
        ),
        RecordFile(
            "checkpoints.json",
            "The saved states that are kept, newest first. Their files are not in this record.",
            fields_of(CheckpointInfo),
            lambda: listed(
                _each(
                    lambda session, cursor: checkpoints.page(session, job.id, SMALL_ROWS, cursor),
                    CheckpointInfo.model_validate,
                )
            ),
        ),
    ]


def _about_data(name: str, row: RegisteredImages) -> RecordFile:
    model: type[BaseModel] = DatasetInfo if isinstance(row, Dataset) else OodPoolInfo
    source = {key: value for key, value in row.spec["source"].items() if key != "path"}  # of this server
    content = document(
        {
            **model.model_validate(row).model_dump(mode="json", exclude={*_OF_NOW, "spec", "warnings"}),
            "spec": {**row.spec, "source": source},
            "files": row.files,
            "fingerprint": row.fingerprint,
        }
    )
    about = {
        "dataset.json": "The data set that the run trains on",
        "evaluation-dataset.json": "The data set that it is evaluated on",
        "pool.json": "The OOD pool that it picks from",
    }
    added = {
        "files": "Bytes and sha256 of the stored files, by name. Null: registered by an earlier version.",
        "fingerprint": "Digest of the stored content: the sha256 of the JSON `{name: sha256}` of `files`, with sorted "
        "keys. Null where `files` is.",
    }
    return RecordFile(name, f"{about[name]}.", fields_of(model, [*_OF_NOW, "warnings"]) | added, lambda: [content])


def _measured(job: Job, evaluated: Dataset) -> list[RecordFile]:
    thresholds = PretrainConfig.from_stored(job.config).group_thresholds

    def evaluations() -> Iterator[EvaluationInfo]:
        return _each(
            lambda session, cursor: checkpoint_work.page(session, Evaluation, job.id, None, LARGE_ROWS, cursor),
            EvaluationInfo.model_validate,
        )

    return [
        RecordFile(
            "metrics.csv",
            "Every point of every curve. " + tables.CURVES,
            tables.METRICS,
            lambda: table(tables.METRICS, tables.metrics_of(job.id)),
        ),
        RecordFile(
            "evaluations.json",
            "The probes of its checkpoints, newest first.",
            fields_of(EvaluationInfo),
            lambda: listed(evaluations()),
        ),
        RecordFile(
            "evaluations-by-class.csv",
            "Their accuracies by class.",
            tables.BY_CLASS,
            lambda: table(tables.BY_CLASS, tables.by_class(evaluations(), evaluated.class_names or [])),
        ),
        RecordFile(
            "analyses.json",
            "The analyses of its checkpoints, with results, newest first.",
            fields_of(AnalysisWithResult),
            lambda: listed(
                _each(
                    lambda session, cursor: checkpoint_work.page(session, Analysis, job.id, None, LARGE_ROWS, cursor),
                    AnalysisWithResult.model_validate,
                )
            ),
        ),
        RecordFile(
            "rounds.json",
            "The sampling rounds with their clusters, oldest first.",
            fields_of(RoundDetails),
            lambda: listed(
                _each(
                    lambda session, cursor: rounds.page(session, job.id, LARGE_ROWS, cursor),
                    lambda row: rounds_service.shown(row, thresholds),
                )
            ),
        ),
        RecordFile(
            "picks.csv",
            "The OOD images that each round picked. Empty without a pool, and if training images were picked.",
            tables.PICKS,
            lambda: table(tables.PICKS, tables.picks_of(job.id)),
        ),
    ]


def _warnings(job: Job, described: Mapping[str, RegisteredImages]) -> RecordFile:
    def found() -> Iterator[dict[str, Any]]:
        yield from _told("job", job.warnings)
        for name, row in described.items():
            yield from _told(name, row.warnings)
        for about, warnings in _each(
            lambda session, cursor: checkpoint_work.page(session, Evaluation, job.id, None, LARGE_ROWS, cursor),
            lambda row: (f"evaluation {row.id}", row.warnings),
        ):
            yield from _told(about, warnings)

    return RecordFile("warnings.json", "What to know before trusting the numbers.", _WARNING, lambda: listed(found()))


def _told(about: str, warnings: list[Any] | None) -> Iterator[dict[str, Any]]:
    for warning in warnings or []:
        yield {"about": about, **warning}


def _each(read: Callable[[Session, str | None], Slice[R]], show: Callable[[R], T]) -> Iterator[T]:
    """All items of a list, page by page."""
    cursor = None
    while True:
        with reading() as session:
            rows, cursor = read(session, cursor).all()
            shown = [show(row) for row in rows]
        yield from shown
        if cursor is None:
            return
