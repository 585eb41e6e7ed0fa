"""Rules of work on checkpoints: what can be requested, cancelled and deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from api import queues
from api.http.errors import Conflict, NotFound
from api.jobs.service import find_checkpoint
from api.jobs.service import lock as lock_job
from api.workers.service import lacking
from colt_core.tagged import TaggedSettings
from store.models import CheckpointWork, Dataset, Job, RegisteredImages
from store.repositories import checkpoint_work, registrations, turns
from store.repositories.checkpoint_work import W
from store.statuses import WorkStatus

_MANY_IMAGES = 200_000  # work on more is large


def find(session: Session, model: type[W], row_id: str) -> W:
    """The row.

    Raises:
        NotFound: there is none.
    """
    return _found(checkpoint_work.get(session, model, row_id), model, row_id)


def request(
    session: Session,
    model: type[W],
    job_id: str,
    checkpoint_id: str | None,
    settle: Callable[[Job, Dataset], TaggedSettings],
    submitter: str | None,
    subject: Sequence[RegisteredImages] = (),
) -> W:
    """Queue work on a checkpoint, or return an equal row that neither failed nor was cancelled.

    Args:
        checkpoint_id: default: the job's last.
        settle: returns the settings for this job and data set. Raises Unprocessable where the work
            is not possible.
        submitter: id of the token that asks; None without a token.
        subject: the data that it works on, which the row names. Empty: the job's.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has no checkpoint yet, or no live worker has its device.
        Unprocessable: the checkpoint is of another job, or `settle` raised it.
        TooManyRequests: the token has too many that wait.
    """
    turns.lock(session, submitter)
    job = lock_job(session, job_id)  # so that two equal requests run one after the other
    checkpoint = find_checkpoint(session, job_id, checkpoint_id)
    dataset = registrations.get(session, Dataset, job.dataset_id)
    assert dataset is not None  # a foreign key says so
    settings = settle(job, dataset)
    named = {f"{data.noun}_id": data.id for data in subject}
    earlier = checkpoint_work.same(session, model, checkpoint.id, settings, named)
    if earlier is not None:
        return earlier
    if (lack := lacking(session, job.config.get("device", "auto"), num_processes=1)) is not None:
        raise Conflict(f"The job's device is '{job.config['device']}', but {lack[1]}. Start one, then ask again.")
    place = place_for(session, model, subject or (dataset,), submitter)
    return checkpoint_work.add(session, model, checkpoint, settings.model_dump(mode="json"), place, named)


def place_for(
    session: Session, model: type[CheckpointWork], subject: Sequence[RegisteredImages], submitter: str | None
) -> turns.Place:
    """The place in its queue of new work on these data. Call it under `turns.lock`.

    Raises:
        TooManyRequests: the token has as many waiting rows as allowed.
    """
    images = sum(data.num_samples or 0 for data in subject)
    cost = turns.COST * (1 + images // _MANY_IMAGES)
    return queues.place(session, model, submitter, cost=cost, is_large=images > _MANY_IMAGES)


def cancel(session: Session, model: type[W], row_id: str) -> W:
    """Stop the work: at once while it is queued, or as soon as its worker notices.

    Raises:
        NotFound, Conflict
    """
    row = _found(checkpoint_work.lock(session, model, row_id), model, row_id)
    if not checkpoint_work.cancel(session, row):
        raise Conflict(f"The {_called(model)} is {row.status}; only a queued or running one can be cancelled.")
    return row


def remove(session: Session, model: type[W], row_id: str) -> str | None:
    """Delete a row that no worker has, with its result.

    Returns:
        The key of its files, to delete after the commit; None if it has none.

    Raises:
        NotFound, Conflict
    """
    row = _found(checkpoint_work.lock(session, model, row_id), model, row_id)
    if not checkpoint_work.remove(session, row):
        cancelling = row.status == WorkStatus.CANCELLING
        advice = "delete it once it is cancelled" if cancelling else "cancel it first, then delete it"
        raise Conflict(f"The {_called(model)} is {row.status}; {advice}.")
    return row.folder


def _found(row: W | None, model: type[W], row_id: str) -> W:
    if row is None:
        raise NotFound(f"There is no {_called(model)} {row_id[:64]}.")
    return row


def _called(model: type[CheckpointWork]) -> str:
    """The kind of work, for people."""
    return model.noun.replace("_", " ")
