"""What a job takes over of another one that has trained the beginning of both."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, Table, insert, literal, select
from sqlalchemy.orm import Session

from store.models import Checkpoint, Job, JobEvent, Metric, TailnessEpoch
from store.repositories import curve_buckets, events, recording


class BeginningGone(Exception):
    """The job whose beginning was to be taken over was deleted."""


def trained(session: Session, job: Job) -> tuple[Job, Checkpoint] | None:
    """A job that has trained the beginning, with its checkpoint at the end of it; None without
    one."""
    found = session.execute(
        select(Job, Checkpoint)
        .join(Checkpoint, Checkpoint.id == Job.beginning_checkpoint_id)
        .where(Job.beginning == job.beginning, Job.id != job.id, Checkpoint.usable)
        .order_by(Checkpoint.created_at, Checkpoint.id)
        .limit(1)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def take_over(session: Session, job_id: str, end: Checkpoint, *, epoch: int, step: int) -> None:
    """Copy what another job has recorded of the common beginning.

    The caller holds this job's lease, and has checked it in this transaction.

    Args:
        end: the other job's checkpoint at the end of the beginning.
        epoch, step: of the checkpoint up to which this job has trained the beginning itself.

    Raises:
        BeginningGone: the other job was deleted. Then the transaction must not commit.
    """
    # Under this lock it cannot be deleted before the transaction ends.
    kept = select(Job.id).where(Job.id == end.job_id).with_for_update(read=True, key_share=True)
    if session.scalar(kept) is None:
        raise BeginningGone(end.job_id)
    recording.discard_after(session, job_id, epoch=epoch, step=step, rounds=0)
    _copy(session, Metric, job_id, end, Metric.step.between(step + 1, end.step))
    _copy(session, TailnessEpoch, job_id, end, TailnessEpoch.epoch.between(epoch + 1, end.epoch))
    curve_buckets.discard_after(session, job_id, step)  # which makes them of the points
    job = session.get_one(Job, job_id)
    _copy_warnings(session, job, end, step)
    last = select(Metric.value).where(Metric.job_id == job_id, Metric.name == "epoch_loss", Metric.step == end.step)
    job.epoch, job.step, job.loss = end.epoch, end.step, session.scalar(last)
    job.beginning_job_id = end.job_id
    session.flush()


def _copy(session: Session, model: Any, job_id: str, end: Checkpoint, which: ColumnElement[bool]) -> None:
    """Copy rows of the other job within the database."""
    table = cast("Table", model.__table__)
    columns = [literal(job_id) if column.name == "job_id" else column for column in table.columns]
    rows = select(*columns).where(table.c.job_id == end.job_id, which)
    session.execute(insert(table).from_select([column.name for column in table.columns], rows))


def _copy_warnings(session: Session, job: Job, end: Checkpoint, step: int) -> None:
    """What the run warned of. Warnings about the other job's data are not among its events."""
    of_event = JobEvent.data["step"].as_integer()
    told = select(JobEvent.data).where(
        JobEvent.job_id == end.job_id, JobEvent.kind == "warning", of_event.between(step + 1, end.step)
    )
    for data in session.scalars(told.order_by(JobEvent.id)).all():
        warning = {name: value for name, value in data.items() if name not in ("epoch", "step")}
        others = [known for known in job.warnings or [] if known["code"] != warning["code"]]
        job.warnings = [*others, warning]
        session.flush()  # the row first, see `events.append`
        events.append(session, job.id, "warning", data)
