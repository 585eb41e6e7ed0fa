"""Rules of jobs: what can be changed, cancelled, resumed and deleted."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api import queues
from api.http.errors import Conflict, NotFound, Unprocessable
from api.jobs.schemas import JobChanges, JobDetails
from store.models import Checkpoint, Job, utc_now
from store.repositories import checkpoints, events, jobs, turns
from store.statuses import WorkStatus


def find(session: Session, job_id: str) -> Job:
    """The job.

    Raises:
        NotFound: there is none.
    """
    return _found(jobs.get(session, job_id), job_id)


def details(session: Session, job_id: str) -> JobDetails:
    """The job, with what only its own address shows.

    Raises:
        NotFound: there is none.
    """
    # Before the job is read, so that the values hold the event.
    last_event_id = events.last_id(session, job_id)
    job = find(session, job_id)
    return JobDetails.of(job, queue_position=turns.ahead(session, job), last_event_id=last_event_id)


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


def change(session: Session, job_id: str, changes: JobChanges) -> Job:
    """Change what people say about a job. Its settings and results stay.

    Raises:
        NotFound: there is none.
    """
    job = lock(session, job_id)  # its trainer writes other columns of the row
    for name, value in changes.model_dump(exclude_none=True).items():
        setattr(job, name, value)
    session.flush()
    return job


def cancel(session: Session, job_id: str) -> Job:
    """Stop a job: at once while it is queued. A running job writes a checkpoint first.

    Raises:
        NotFound, Conflict
    """
    find(session, job_id)
    return _moved(session, job_id, jobs.cancel(session, job_id), "only a queued or running job can be cancelled")


def resume(session: Session, job_id: str, submitter: str | None = None) -> Job:
    """Queue a stopped job again. It resumes from its last checkpoint.

    Raises:
        NotFound, Conflict
        TooManyRequests: the token has too many that wait.
    """
    turns.lock(session, submitter)
    find(session, job_id)
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
        **queues.place(session, Job, submitter).columns,
    )
    return _moved(session, job_id, queued, "only a cancelled or failed job can be resumed")


def remove(session: Session, job_id: str) -> str:
    """Delete a job that does not run, with everything it recorded.

    Returns:
        The key of its artifacts, to be deleted after the commit.

    Raises:
        NotFound, Conflict
    """
    find(session, job_id)
    try:
        removed = jobs.remove(session, job_id)
    except jobs.StillNeeded as error:
        needing = f"The job '{error}' is to begin with a checkpoint of this job, and has none of its own yet"
        raise Conflict(f"{needing}. Delete that job first, or wait until it has begun.") from error
    if not removed:
        job = _found(jobs.get_anew(session, job_id), job_id)
        cancelling = job.status == WorkStatus.CANCELLING
        advice = "delete it once it is cancelled" if cancelling else "cancel it first, then delete it"
        raise Conflict(f"The job is {job.status}; {advice}.")
    return f"jobs/{job_id}"


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"There is no job {job_id[:64]}.")
    return job


def _moved(session: Session, job_id: str, moved: bool, rule: str) -> Job:
    """The job after a change of its status.

    Raises:
        NotFound: it was deleted in the meantime.
        Conflict: it was not moved.
    """
    job = _found(jobs.get_anew(session, job_id), job_id)
    if not moved:
        raise Conflict(f"The job is {job.status}; {rule}.")
    return job
