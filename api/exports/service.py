"""Rules of exports."""

from __future__ import annotations

import json

from sqlalchemy.orm import Session

from api.checkpoint_work import service
from api.exports.schemas import NewExport
from api.http.errors import Conflict, Unprocessable
from colt_core.exporting.kinds import ExportSettings, FeaturesExportConfig
from store.models import Checkpoint, Dataset, Export, Job
from store.repositories import checkpoint_work, registrations
from store.statuses import WorkStatus


def request(session: Session, job_id: str, wanted: NewExport, submitter: str | None = None) -> Export:
    """Queue an export.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has no checkpoint yet.
        Unprocessable: the checkpoint is of another job, or the data have no such part.
    """

    def settle(job: Job, dataset: Dataset) -> ExportSettings:
        settings = wanted.settings
        if isinstance(settings, FeaturesExportConfig):
            _check_split(session, settings.split, job, dataset)
        return settings

    return service.request(session, Export, job_id, wanted.checkpoint_id, settle, submitter)


def finished(session: Session, checkpoint: Checkpoint, settings: ExportSettings) -> Export:
    """The export whose file exists.

    Raises:
        Conflict: it was not asked for, or is not finished. The message says how to ask.
    """
    export = checkpoint_work.same(session, Export, checkpoint.id, settings)
    if export is None:
        body = json.dumps({**settings.model_dump(mode="json"), "checkpoint_id": checkpoint.id})
        ask = f"A worker makes it if you send POST /api/v1/jobs/{checkpoint.job_id}/exports with {body}."
        raise Conflict(f"This file has not been made. {ask}")
    if export.status != WorkStatus.SUCCEEDED:
        raise Conflict(f"This file is not made yet: export {export.id} is {export.status}. Try again later.")
    return export


def _check_split(session: Session, split: str, job: Job, trained_on: Dataset) -> None:
    if split == "pool":
        if job.ood_pool_id is None:
            raise Unprocessable(("/split", "the job has no OOD pool; name a part of its data set"))
        return
    data = trained_on if split == "train" else registrations.get(session, Dataset, job.evaluated_on)
    assert data is not None  # a foreign key says so
    sizes = data.split_sizes or {}
    if not sizes.get(split):
        there = ", ".join(name for name, size in sizes.items() if size)
        raise Unprocessable(("/split", f"'{data.name}' has no images in this part; it has {there}"))
