"""What a run records. Callers hold the job's lease and have checked it in the same transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import Table, and_, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from store.models import (
    Checkpoint,
    CheckpointWork,
    Evaluation,
    Job,
    JobEvent,
    Metric,
    SamplingRound,
    TailnessEpoch,
    leased_models,
)
from store.repositories import curve_buckets, scores
from store.repositories.checkpoint_work import is_asked_about
from store.statuses import WorkStatus

Point = tuple[str, int, float]  # name, step, value


def add_metrics(session: Session, job_id: str, points: Collection[Point]) -> None:
    """Append points to the job's curves."""
    rows = [{"job_id": job_id, "name": name, "step": step, "value": value} for name, step, value in points]
    if rows:
        session.execute(insert(cast("Table", Metric.__table__)), rows)  # quicker than one of the class
        curve_buckets.add(session, job_id, points)


def discard_after(session: Session, job_id: str, epoch: int, step: int, rounds: int) -> None:
    """Drop what an interrupted attempt recorded after the checkpoint that the next one starts from.

    Events are dropped too. Otherwise a client that reads all events would see a step or round
    twice. Any later checkpoint is damaged, since the run would start from it if it were not. One
    with results is kept for their sake until the run reaches the same step again.

    Args:
        session: a writing session.
        job_id: the job.
        epoch: finished epochs in the checkpoint; 0 without a checkpoint.
        step: optimiser steps in the checkpoint.
        rounds: sampling rounds in the checkpoint.
    """
    at_step, at_round = JobEvent.data["step"].as_integer(), JobEvent.data["round"].as_integer()
    untrue = or_(
        and_(JobEvent.kind.in_(("progress", "metric", "warning")), at_step > step),
        and_(JobEvent.kind == "round", at_round > rounds),
    )
    for row in (
        delete(Metric).where(Metric.job_id == job_id, Metric.step > step),
        delete(TailnessEpoch).where(TailnessEpoch.job_id == job_id, TailnessEpoch.epoch > epoch),
        delete(SamplingRound).where(SamplingRound.job_id == job_id, SamplingRound.round > rounds),
        delete(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.step > step, ~is_asked_about()),
        update(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.step > step).values(sha256=""),
        delete(JobEvent).where(JobEvent.job_id == job_id, untrue),
    ):
        session.execute(row.execution_options(synchronize_session=False))
    curve_buckets.discard_after(session, job_id, step)


def checkpoints(session: Session, job_id: str) -> list[Checkpoint]:
    """The job's checkpoints that a run can resume from, furthest first."""
    mine = select(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.usable)
    return list(session.scalars(mine.order_by(Checkpoint.step.desc(), Checkpoint.created_at.desc())))


def replace_checkpoint(session: Session, row: Checkpoint) -> list[str]:
    """Add a checkpoint, and drop an earlier one of the same state.

    The artifact keys of both differ only in their last part. Evaluations and analyses of the
    earlier checkpoint are moved to the new one, for which they hold as well. So do jobs that are to
    begin with the earlier one, or to take it over.

    Returns:
        The artifact keys to delete once the transaction has committed.
    """
    session.merge(row)
    session.flush()
    same_state = Checkpoint.artifact.startswith(row.artifact.rpartition("-")[0] + "-", autoescape=True)
    same = and_(Checkpoint.job_id == row.job_id, Checkpoint.id != row.id, same_state)
    for model in leased_models(CheckpointWork):
        of_same = model.checkpoint_id.in_(select(Checkpoint.id).where(same))
        session.execute(update(model).where(of_same).values(checkpoint_id=row.id))
    for named in (Job.start_checkpoint_id, Job.beginning_checkpoint_id):
        of_same = named.in_(select(Checkpoint.id).where(same))
        session.execute(update(Job).where(of_same).values({named: row.id}))
    return list(session.scalars(delete(Checkpoint).where(same).returning(Checkpoint.artifact)))


def drop_old_checkpoints(session: Session, job_id: str, keep: int) -> list[str]:
    """Drop all checkpoints except the last `keep`.

    Checkpoints that others need (`is_asked_about`) stay, and the one that scores unseen images.

    Returns:
        The artifact keys to delete once the transaction has committed.
    """
    kept = set(session.scalars(select(Checkpoint.id).where(Checkpoint.job_id == job_id, is_asked_about())))
    if (scoring := scores.scored_by(session, job_id)) is not None:
        kept.add(scoring[1].id)
    old = [row for row in checkpoints(session, job_id)[keep:] if row.id not in kept]
    for row in old:
        session.delete(row)
    return [row.artifact for row in old]


def finished_probes(session: Session, checkpoint_id: str) -> list[dict[str, Any]]:
    """Configurations of the probes with results for this checkpoint."""
    of_it = select(Evaluation.config).where(Evaluation.checkpoint_id == checkpoint_id)
    return list(session.scalars(of_it.where(Evaluation.status == WorkStatus.SUCCEEDED)))
