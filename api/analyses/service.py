"""Rules of analyses."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.analyses.schemas import NewAnalysis
from api.http.errors import NotFound, Unprocessable
from api.jobs.service import find_checkpoint
from api.jobs.service import lock as lock_job
from colt_core.config import PretrainConfig
from store.models import Analysis, Dataset
from store.repositories import analyses, registrations


def find(session: Session, analysis_id: str) -> Analysis:
    """The analysis.

    Raises:
        NotFound: when there is none.
    """
    analysis = analyses.get(session, analysis_id)
    if analysis is None:
        raise NotFound(f"There is no analysis {analysis_id[:64]}.")
    return analysis


def request(session: Session, job_id: str, wanted: NewAnalysis) -> Analysis:
    """Queue an analysis; the very same one of the same checkpoint is not made twice, unless it failed.

    Raises:
        NotFound: when there is no such job.
        Conflict: when it has no checkpoint yet.
        Unprocessable: for a checkpoint of another job, or a run or data that the analysis cannot be made of.
    """
    job = lock_job(session, job_id)
    checkpoint = find_checkpoint(session, job_id, wanted.checkpoint_id)
    config = wanted.settings
    dataset = registrations.get(session, Dataset, job.dataset_id)
    assert dataset is not None  # a foreign key says so
    splits = dataset.split_sizes or {}
    run = PretrainConfig.from_stored(job.config)
    problem = config.problem(run, dataset.class_counts or [], splits.get("probe", 0), splits.get("val", 0))
    if problem is not None:
        field, what = problem
        raise Unprocessable((f"/{field}", what))
    document = config.model_dump(mode="json")
    earlier = analyses.same(session, checkpoint.id, document)
    if earlier is not None:
        return earlier
    analysis = Analysis(
        job_id=job_id,
        checkpoint_id=checkpoint.id,
        kind=config.kind,
        config=document,
        epoch=checkpoint.epoch,
    )
    analyses.add(session, analysis)
    return analysis
