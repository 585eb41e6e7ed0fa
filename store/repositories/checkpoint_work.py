"""Work on checkpoints, and some of it on backbones: every `CheckpointWork`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, case, exists, or_, select
from sqlalchemy.orm import Session, aliased

from colt_core.tagged import TaggedSettings
from store.leases import lock_job_of
from store.models import Analysis, Checkpoint, CheckpointWork, Evaluation, Job, PoolCheck, Score, leased_models, utc_now
from store.repositories import events, scores
from store.repositories.pages import LARGE_ROWS, Slice, keyset_page
from store.repositories.turns import Place
from store.statuses import WorkStatus

W = TypeVar("W", bound=CheckpointWork)
B = TypeVar("B", Evaluation, Analysis, PoolCheck)  # those that may be of a backbone instead

_NOTHING_ELSE: Mapping[str, str] = MappingProxyType({})
# A repeated request is not answered with a row in one of these statuses.
_WITHOUT_RESULT = (WorkStatus.FAILED, WorkStatus.CANCELLING, WorkStatus.CANCELLED)


def add(
    session: Session,
    model: type[W],
    checkpoint: Checkpoint,
    config: dict[str, Any],
    place: Place | None = None,
    subject: Mapping[str, Any] = _NOTHING_ELSE,
) -> W:
    """Queue work on a checkpoint. `config` contains its `kind`. Without `place` it comes first.

    Args:
        subject: columns that name what else it works on.
    """
    row = model(**subject)
    row.job_id, row.checkpoint_id, row.epoch = checkpoint.job_id, checkpoint.id, checkpoint.epoch
    return _added(session, row, config, place)


def add_of_backbone(
    session: Session,
    model: type[B],
    backbone_id: str,
    config: dict[str, Any],
    place: Place | None = None,
    subject: Mapping[str, Any] = _NOTHING_ELSE,
) -> B:
    """Queue work on a backbone, as `add` does on a checkpoint."""
    return _added(session, model(backbone_id=backbone_id, **subject), config, place)


def _added(session: Session, row: W, config: dict[str, Any], place: Place | None) -> W:
    if place is not None:
        place.give(row)
    row.kind, row.config = config["kind"], config
    session.add(row)
    session.flush()
    return row


def page(session: Session, model: type[W], job_id: str, kind: str | None, limit: int, cursor: str | None) -> Slice[W]:
    """A page of one job's rows, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return _page(session, model, model.job_id == job_id, kind, limit, cursor)


def page_of_backbone(
    session: Session, model: type[B], backbone_id: str, kind: str | None, limit: int, cursor: str | None
) -> Slice[B]:
    """The same, of one backbone's rows."""
    return _page(session, model, model.backbone_id == backbone_id, kind, limit, cursor)


def _page(
    session: Session, model: type[W], mine: ColumnElement[bool], kind: str | None, limit: int, cursor: str | None
) -> Slice[W]:
    rows = select(model).where(mine)
    if kind is not None:
        rows = rows.where(model.kind == kind)
    return keyset_page(session, rows, model, "-created_at", limit, cursor, LARGE_ROWS)


def get(session: Session, model: type[W], row_id: str) -> W | None:
    return session.get(model, row_id)


def lock(session: Session, model: type[W], row_id: str) -> W | None:
    """The row and its job, locked for this transaction."""
    lock_job_of(session, model, row_id)
    return session.scalars(select(model).where(model.id == row_id).with_for_update()).one_or_none()


def same(
    session: Session,
    model: type[W],
    checkpoint_id: str,
    settings: TaggedSettings,
    subject: Mapping[str, str] = _NOTHING_ELSE,
) -> W | None:
    """The latest row with the same settings that has, or will have, a result; None without one."""
    return _same(session, model, settings, checkpoint_id=checkpoint_id, **subject)


def same_of_backbone(
    session: Session, model: type[B], backbone_id: str, settings: TaggedSettings, subject: Mapping[str, str]
) -> B | None:
    """The same, of a backbone."""
    return _same(session, model, settings, backbone_id=backbone_id, **subject)


def of_backbones(
    session: Session, backbone_ids: Collection[str], dataset_ids: Collection[str], kinds: Collection[str]
) -> Sequence[Evaluation]:
    """The evaluations of these backbones on these data sets: those that came to nothing last, and
    newer before older ones."""
    found = select(Evaluation).where(
        Evaluation.backbone_id.in_(backbone_ids), Evaluation.dataset_id.in_(dataset_ids), Evaluation.kind.in_(kinds)
    )
    nothing = case((Evaluation.status.in_(_WITHOUT_RESULT), 1), else_=0)
    return session.scalars(found.order_by(nothing, Evaluation.created_at.desc(), Evaluation.id.desc())).all()


def _same(session: Session, model: type[W], settings: TaggedSettings, **of: str) -> W | None:
    alike = select(model).filter_by(**of).where(model.kind == settings.kind, model.status.not_in(_WITHOUT_RESULT))
    # Compared in Python: an earlier version may have stored the same settings in another form.
    newest_first = session.scalars(alike.order_by(model.created_at.desc(), model.id.desc()))
    return next((row for row in newest_first if settings.is_stored_as(row.config)), None)


def cancel(session: Session, row: CheckpointWork) -> bool:
    """Cancel a locked row at once if it waits; mark it as `cancelling` if it runs.

    Returns:
        False when it neither waits nor runs.
    """
    if row.status == WorkStatus.QUEUED:
        row.ended(WorkStatus.CANCELLED, None, utc_now())
        if isinstance(row, Score):
            scores.let_go(session, row)
    elif row.status == WorkStatus.RUNNING:
        row.status = WorkStatus.CANCELLING
    else:
        return False
    tell(session, row)
    return True


def remove(session: Session, row: CheckpointWork) -> bool:
    """Delete a locked row.

    Returns:
        False when a worker may be working on it.
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
    """Add an event to the job, if it has one, which must be locked (see `events.append`).

    Nothing is added for kinds of work that events do not show.

    Args:
        status: the status to show; None for the row's own.
    """
    session.flush()
    data = row.told() if status is None else row.told() | {"status": status}
    if row.job_id is not None and row.in_events:
        events.append(session, row.job_id, row.noun, data)


def latest_by_kind(session: Session, job_id: str) -> dict[str, Evaluation]:
    """The job's latest successful evaluation of each kind.

    Later checkpoints come before earlier ones, and then newer evaluations before older ones.
    """
    done = select(Evaluation).where(Evaluation.job_id == job_id, Evaluation.status == WorkStatus.SUCCEEDED)
    rows = session.scalars(done.order_by(Evaluation.epoch, Evaluation.created_at, Evaluation.id))
    return {row.kind: row for row in rows}


def show_first(session: Session, row: Evaluation) -> None:
    """Show this accuracy on the job if it has none. The job's own first probe overrides it."""
    job = None if row.job_id is None else session.get_one(Job, row.job_id)
    if job is not None and job.accuracy is None:
        _show(job, row)


def is_asked_about() -> ColumnElement[bool]:
    """SQL condition: a checkpoint must stay.

    It has evaluations or analyses, which would be deleted with it. Or another job is to begin with
    it, or may take it over as the end of its beginning.
    """
    asked = (exists().where(model.checkpoint_id == Checkpoint.id) for model in leased_models(CheckpointWork))
    # An alias, since the query around it may be of this job's own row.
    waiting, beginning = aliased(Job), aliased(Job)
    return or_(
        *asked,
        exists().where(waiting.start_checkpoint_id == Checkpoint.id),
        exists().where(beginning.beginning_checkpoint_id == Checkpoint.id),
    )


def _show_another(session: Session, deleted: Evaluation) -> None:
    """After a deletion, show the accuracy of a remaining probe on the job."""
    job = None if deleted.job_id is None else session.get_one(Job, deleted.job_id)
    if job is None or deleted.accuracy is None or job.accuracy != deleted.accuracy:
        return
    left = latest_by_kind(session, job.id)
    _show(job, next((left[kind] for kind in (*job.evaluations, *left) if kind in left), None))


def _show(job: Job, row: Evaluation | None) -> None:
    shown = Evaluation.shown({} if row is None else row.told())
    for name, value in shown.items():
        setattr(job, name, value)
