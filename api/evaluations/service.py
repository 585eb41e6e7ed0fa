"""Rules of evaluations."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import registration
from api.checkpoint_work import service
from api.evaluations.schemas import NewEvaluation
from api.http.errors import Unprocessable
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store.models import Dataset, Evaluation, Job


def request(session: Session, job_id: str, wanted: NewEvaluation, submitter: str | None = None) -> Evaluation:
    """Queue a probe. Unless the request sets group thresholds, the job's thresholds apply.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has no checkpoint yet.
        Unprocessable: the checkpoint is of another job, or there are too few images for the probe.
    """

    def settle(job: Job, dataset: Dataset) -> ProbeSettings:
        config = wanted.settings
        if job.evaluation_dataset_id is not None:
            dataset = registration.find(session, Dataset, job.evaluation_dataset_id)
        if (lack := dataset.no_evaluation) is not None:
            named = "Submit a job that names an evaluation_dataset_id; it can start from this job's checkpoint"
            raise Unprocessable(("/kind", f"{lack}. {named}"))
        if config.group_thresholds is None:
            thresholds = PretrainConfig.from_stored(job.config).group_thresholds
            config = config.model_copy(update={"group_thresholds": thresholds})
        problem = config.problem(*dataset.sizes)
        if problem is not None:
            setting, what = problem
            raise Unprocessable((f"/{setting}", what))
        return config

    return service.request(session, Evaluation, job_id, wanted.checkpoint_id, settle, submitter)
