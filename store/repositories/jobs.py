"""Jobs, as clients submit, list and cancel them. What a run writes is in recording.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Case, ColumnElement, CursorResult, Select, case, delete, func, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.models import Checkpoint, Job, utc_now
from store.repositories import deliveries, events
from store.repositories.json_lists import json_list_has
from store.repositories.pages import Slice, keyset_page
from store.statuses import FINAL, WorkStatus

S = TypeVar("S")
MOST_CANCELLED = 1000  # at once
_CANCELLABLE = (WorkStatus.QUEUED, WorkStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Filters for a list of jobs; None means any value."""

    status: WorkStatus | None = None
    dataset_id: str | None = None
    sampler: str | None = None
    framework: str | None = None
    tag: str | None = None
    name: str | None = None  # a part of it


class StillNeeded(Exception):
    """The job cannot be deleted. The message names a job that is to begin with its checkpoint."""


def get(session: Session, job_id: str) -> Job | None:
    return session.get(Job, job_id)


def get_anew(session: Session, job_id: str) -> Job | None:
    """The job as it is now, also if the session has read it before. None: it was deleted."""
    return session.get(Job, job_id, populate_existing=True)


def lock(session: Session, job_id: str) -> Job | None:
    """The job, locked for this transaction.

    Code that writes or drops a job's checkpoints holds this lock. So checkpoints that are read
    under it do not change.
    """
    return session.get(Job, job_id, with_for_update=True)


def page(session: Session, wanted: JobFilter, order: str, limit: int, cursor: str | None) -> Slice[Job]:
    """Jobs in `order`: a column's name, with `-` in front for descending.

    Raises:
        BadCursor: when `cursor` was made for another list or order.
    """
    return keyset_page(session, filtered(select(Job), wanted), Job, order, limit, cursor)


def filtered(statement: Select[S], wanted: JobFilter) -> Select[S]:
    """A query of jobs, for those that pass the filters alone."""
    for column, value in (
        (Job.status, wanted.status),
        (Job.dataset_id, wanted.dataset_id),
        (Job.sampler, wanted.sampler),
        (Job.framework, wanted.framework),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.tag is not None:
        statement = statement.where(json_list_has(Job.tags, wanted.tag))  # type: ignore[arg-type]
    if wanted.name is not None:
        statement = statement.where(Job.name.icontains(wanted.name, autoescape=True))
    return statement


def add(session: Session, *rows: Job) -> bool:
    """Queue jobs, all or none.

    Returns:
        False when another job has an idempotency key of theirs by now, or their data or the
        checkpoint to start from were deleted. Then nothing is written.
    """
    try:
        with session.begin_nested():
            session.add_all(rows)
            session.flush()
            events.append_all(session, "status", {job.id: {"status": job.status} for job in rows})
    except IntegrityError:
        return False
    return True


def transition(
    session: Session,
    job_id: str,
    expected: Collection[WorkStatus],
    status: WorkStatus | Case[WorkStatus],
    **values: Any,
) -> bool:
    """Move a job from one of the `expected` statuses to `status`, in one atomic UPDATE.

    The change is added to the job's events.

    Args:
        values: other columns to set.

    Returns:
        Whether the job had an expected status.
    """
    return bool(_move(session, Job.id == job_id, expected, status, values))


def _move(
    session: Session,
    which: ColumnElement[bool],
    expected: Collection[WorkStatus],
    status: WorkStatus | Case[WorkStatus],
    values: Mapping[str, Any],
) -> dict[str, WorkStatus]:
    """Move all jobs of a condition, in as many statements as for one.

    Returns:
        The new status of each job that had an expected one, by id.
    """
    moved = session.execute(
        update(Job)
        .where(which, Job.status.in_(expected))
        .values(status=status, **values)
        .returning(Job.id, Job.status)
        .execution_options(synchronize_session=False)
    )
    found = {row.id: row.status for row in moved}
    events.append_all(session, "status", {job_id: {"status": now} for job_id, now in found.items()})
    deliveries.add_ended(session, [job_id for job_id, now in found.items() if now in FINAL])
    return found


def cancel(session: Session, job_id: str) -> bool:
    """Cancel a waiting job at once; ask a running one to stop.

    Returns:
        False when it neither waits nor runs.
    """
    return bool(_cancel(session, Job.id == job_id))


def _cancel(session: Session, which: ColumnElement[bool]) -> dict[str, WorkStatus]:
    # In one UPDATE: between two, a worker could take the job or requeue it, and both would miss it.
    waits = Job.status == WorkStatus.QUEUED
    cancelled, cancelling = (literal(to, Job.status.type) for to in (WorkStatus.CANCELLED, WorkStatus.CANCELLING))
    finished = {"finished_at": case((waits, utc_now()), else_=Job.finished_at)}
    return _move(session, which, _CANCELLABLE, case((waits, cancelled), else_=cancelling), finished)


def cancel_many(
    session: Session, wanted: JobFilter, ids: Collection[str] | None, submitter: str | None
) -> dict[str, WorkStatus]:
    """Cancel up to MOST_CANCELLED jobs that wait or run.

    On SQLite, all who write wait for the end of this transaction. One statement for each of a
    thousand jobs took seconds.

    Args:
        wanted: filters.
        ids: only these; None for any.
        submitter: only those of this token; None for any.

    Returns:
        `cancelled` or `cancelling` by id, in order of the ids.
    """
    statement = filtered(select(Job.id), wanted).where(Job.status.in_(_CANCELLABLE))
    if ids is not None:
        statement = statement.where(Job.id.in_(ids))
    if submitter is not None:
        statement = statement.where(Job.submitter == submitter)
    # Locked in order of their ids, so two who cancel many do not wait for each other.
    found = session.scalars(statement.order_by(Job.id).limit(MOST_CANCELLED).with_for_update()).all()
    return dict(sorted(_cancel(session, Job.id.in_(found)).items()))


def remove(session: Session, job_id: str) -> bool:
    """Delete a job that no worker has, with everything it recorded.

    Returns:
        False when there is no such job, or it is running.

    Raises:
        StillNeeded: while another job is to begin with one of its checkpoints.
    """
    idle = FINAL | {WorkStatus.QUEUED}
    own = select(Checkpoint.id).where(Checkpoint.job_id == job_id)
    needing = session.scalar(select(Job.name).where(Job.start_checkpoint_id.in_(own)).limit(1))
    if needing is not None:
        raise StillNeeded(needing)
    try:
        with session.begin_nested():
            result = session.execute(
                delete(Job)
                .where(Job.id == job_id, Job.status.in_(idle), Job.lease_token.is_(None))
                .execution_options(synchronize_session=False)
            )
    except IntegrityError as error:  # such a job was submitted meanwhile
        raise StillNeeded("a new job") from error
    return isinstance(result, CursorResult) and result.rowcount == 1


def counts_by_status(session: Session) -> dict[WorkStatus, int]:
    rows = session.execute(select(Job.status, func.count().label("jobs")).group_by(Job.status))
    return {row.status: row.jobs for row in rows}
