"""Rules of evaluations."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.evaluations.schemas import NewEvaluation
from api.http.errors import Unprocessable
from api.jobs.service import find_checkpoint, lock
from colt_core.config import PretrainConfig
from store.models import Dataset, Evaluation
from store.repositories import evaluations, registrations


def request(session: Session, job_id: str, wanted: NewEvaluation) -> Evaluation:
    """Queue a probe. It groups the classes as the job does, where it does not say otherwise.

    Raises:
        NotFound: when there is no such job.
        Conflict: when it has no checkpoint yet.
        Unprocessable: for a checkpoint of another job, or data that are too few for the probe.
    """
    job = lock(session, job_id)
    checkpoint = find_checkpoint(session, job_id, wanted.checkpoint_id)
    config = wanted.settings
    if config.group_thresholds is None:
        config = config.model_copy(update={"group_thresholds": PretrainConfig.from_stored(job.config).group_thresholds})
    dataset = registrations.get(session, Dataset, job.dataset_id)
    assert dataset is not None  # a foreign key says so
    splits = dataset.split_sizes or {}
    problem = config.problem(dataset.class_counts or [], splits.get("probe", 0), splits.get("val", 0))
    if problem is not None:
        setting, what = problem
        raise Unprocessable((f"/{setting}", what))
    evaluation = Evaluation(
        job_id=job_id,
        checkpoint_id=checkpoint.id,
        kind=config.kind,
        config=config.model_dump(mode="json"),
        epoch=checkpoint.epoch,
    )
    evaluations.add(session, evaluation)
    return evaluation
