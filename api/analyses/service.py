"""Rules of analyses."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.analyses.schemas import NewAnalysis
from api.checkpoint_work import service
from api.http.errors import Unprocessable
from colt_core.analyses.kinds import AnalysisSettings, analyses
from colt_core.config import PretrainConfig
from store.models import Analysis, Dataset, Job


def request(session: Session, job_id: str, wanted: NewAnalysis, submitter: str | None = None) -> Analysis:
    """Queue an analysis.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has no checkpoint yet.
        Unprocessable: the checkpoint is of another job, or the run or its data do not allow this
            analysis.
    """

    def settle(job: Job, dataset: Dataset) -> AnalysisSettings:
        config = wanted.settings
        if not (dataset.labels or config.without_labels):
            able = ", ".join(kind for kind, settings in analyses.items() if settings.without_labels)
            needs = f"'{config.kind}' needs labels, and the images of '{dataset.name}' have none"
            raise Unprocessable(("/kind", f"{needs}. Without labels there are {able}"))
        if config.tests and dataset.no_evaluation is not None:
            raise Unprocessable(("/kind", dataset.no_evaluation))
        run = PretrainConfig.from_stored(job.config)
        problem = config.problem(run, *dataset.sizes)
        if problem is not None:
            field, what = problem
            raise Unprocessable((f"/{field}", what))
        return config

    return service.request(session, Analysis, job_id, wanted.checkpoint_id, settle, submitter)
