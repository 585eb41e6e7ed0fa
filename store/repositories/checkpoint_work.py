"""What is asked of a job's checkpoints: every kind of `CheckpointWork`."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from colt_core.tagged import TaggedSettings
from store.leases import lock_job_of
from store.models import Checkpoint, CheckpointWork, Evaluation, Job, leased_models, utc_now
from store.repositories import events
from store.repositories.pages import Slice, keyset_page
from store.statuses import WorkStatus

W = TypeVar("W", bound=CheckpointWork)

# Who asks the same again does not want one of these.
_IN_VAIN = (WorkStatus.FAILED, WorkStatus.CANCELLING, WorkStatus.CANCELLED)


def add(session: Session, model: type[W], checkpoint: Checkpoint, config: dict[str, Any]) -> W:
    """Queue a question about a checkpoint. `config` names its `kind`."""
    row = model()
    row.job_id, row.checkpoint_id, row.epoch = checkpoint.job_id, checkpoint.id, checkpoint.epoch
    row.kind, row.config = config["kind"], config
    session.add(row)
    session.flush()
    return row


def page(session: Session, model: type[W], job_id: str, kind: str | None, limit: int, cursor: str | None) -> Slice[W]:
    """Newest first."""
    mine = select(model).where(model.job_id == job_id)
    if kind is not None:
        mine = mine.where(model.kind == kind)
    return keyset_page(session, mine, model, "-created_at", limit, cursor)


def get(session: Session, model: type[W], row_id: str) -> W | None:
    return session.get(model, row_id)


def lock(session: Session, model: type[W], row_id: str) -> W | None:
    """The row and its job, locked for this transaction."""
    lock_job_of(session, model, row_id)
    return session.scalars(select(model).where(model.id == row_id).with_for_update()).one_or_none()


def same(session: Session, model: type[W], checkpoint_id: str, settings: TaggedSettings) -> W | None:
    """The latest that asks the same of this checkpoint and has an answer, or will have one; None
    for none."""
    alike = select(model).where(
        model.checkpoint_id == checkpoint_id, model.kind == settings.kind, model.status.not_in(_IN_VAIN)
    )
    # Compared here: an earlier version may have written the same settings in another way.
    newest_first = session.scalars(alike.order_by(model.created_at.desc(), model.id.desc()))
    return next((row for row in newest_first if settings.is_stored_as(row.config)), None)


def cancel(session: Session, row: CheckpointWork) -> bool:
    """End a locked row that waits, ask for the end of one that runs.

    Returns:
        False when it does neither.
    """
    if row.status == WorkStatus.QUEUED:
        row.ended(WorkStatus.CANCELLED, None, utc_now())
    elif row.status == WorkStatus.RUNNING:
        row.status = WorkStatus.CANCELLING
    else:
        return False
    tell(session, row)
    return True


def remove(session: Session, row: CheckpointWork) -> bool:
    """Delete a locked row.

    Returns:
        False when a worker may have it.
    """
    if row.status in row.in_work:
        return False
    session.delete(row)
    session.flush()
    if isinstance(row, Evaluation):
        _show_another(session, row)
    tell(session, row, "deleted")
    return True


def tell(session: Session, row: CheckpointWork, status: str | None = None) -> None:
    """Log an event of the job, which must be locked: see `events.append`.

    Args:
        status: default the row's own.
    """
    session.flush()
    data = row.told() if status is None else row.told() | {"status": status}
    events.append(session, row.job_id, row.noun, data)


def latest_by_kind(session: Session, job_id: str) -> dict[str, Evaluation]:
    """Of each kind of probe the job's latest that succeeded: of its furthest checkpoint, then the
    newest."""
    done = select(Evaluation).where(Evaluation.job_id == job_id, Evaluation.status == WorkStatus.SUCCEEDED)
    rows = session.scalars(done.order_by(Evaluation.epoch, Evaluation.created_at, Evaluation.id))
    return {row.kind: row for row in rows}


def show_first(session: Session, row: Evaluation) -> None:
    """Let the job show this accuracy where it shows none yet. Its own first probe counts more: see
    `trainer`."""
    job = session.get_one(Job, row.job_id)
    if job.accuracy is None:
        job.accuracy = row.accuracy


def is_asked_about() -> ColumnElement[bool]:
    """Whether anything is, or was, asked of a checkpoint: its answers would go with it."""
    return or_(*(exists().where(model.checkpoint_id == Checkpoint.id) for model in leased_models(CheckpointWork)))


def _show_another(session: Session, deleted: Evaluation) -> None:
    """A job shows the accuracy of a probe that there is."""
    job = session.get_one(Job, deleted.job_id)
    if deleted.accuracy is None or job.accuracy != deleted.accuracy:
        return
    left = latest_by_kind(session, job.id)
    job.accuracy = next((left[kind].accuracy for kind in (*job.evaluations, *left) if kind in left), None)
