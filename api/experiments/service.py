"""Rules of experiments that exist: look-up, cancelling, deletion."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.http.errors import Conflict, NotFound
from api.jobs import service as jobs_service
from store.models import Experiment
from store.repositories import experiments, jobs
from store.repositories.jobs import JobFilter


def find(session: Session, experiment_id: str) -> Experiment:
    """The experiment.

    Raises:
        NotFound: there is none.
    """
    return _found(experiments.get(session, experiment_id), experiment_id)


def lock(session: Session, experiment_id: str) -> Experiment:
    """The experiment, locked for this transaction.

    Raises:
        NotFound: there is none.
    """
    return _found(experiments.lock(session, experiment_id), experiment_id)


def cancel(session: Session, experiment_id: str) -> Experiment:
    """Cancel all its jobs that wait or run.

    Raises:
        NotFound: there is no such experiment.
        Conflict: none of its jobs waits or runs.
    """
    experiment = lock(session, experiment_id)
    if not jobs.cancel_many(session, JobFilter(), _job_ids(session, experiment_id), None):
        raise Conflict("No job of this experiment waits or runs; there is nothing to cancel.")
    return experiment


def remove(session: Session, experiment_id: str, with_jobs: bool) -> list[str]:
    """Delete an experiment.

    Args:
        with_jobs: delete its jobs too. They must not run.

    Returns:
        Keys of the artifacts of the deleted jobs, to be deleted after the commit.

    Raises:
        NotFound: there is no such experiment.
        Conflict: a job runs, or is still needed. Nothing is deleted then.
    """
    experiment = lock(session, experiment_id)
    job_ids = _job_ids(session, experiment_id) if with_jobs else []
    experiments.remove(session, experiment)
    return [jobs_service.remove(session, job_id) for job_id in job_ids]


def _job_ids(session: Session, experiment_id: str) -> list[str]:
    return [run.job.id for run in experiments.runs(session, experiment_id) if run.job is not None]


def _found(experiment: Experiment | None, experiment_id: str) -> Experiment:
    if experiment is None:
        raise NotFound(f"There is no experiment {experiment_id[:64]}.")
    return experiment
