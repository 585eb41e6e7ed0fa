"""What a run writes about itself. Whoever calls these holds the job's lease and has checked it in this transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from store.models import Analysis, Checkpoint, Evaluation, JobEvent, Metric, SamplingRound, TailnessEpoch

Point = tuple[str, int, float]  # name, step, value

_HAS_RESULTS = or_(*(exists().where(result.checkpoint_id == Checkpoint.id) for result in (Evaluation, Analysis)))


def add_metrics(session: Session, job_id: str, points: Iterable[Point]) -> None:
    """Append points to the job's curves."""
    rows = [{"job_id": job_id, "name": name, "step": step, "value": value} for name, step, value in points]
    if rows:
        session.execute(insert(Metric), rows)


def discard_after(session: Session, job_id: str, epoch: int, step: int, rounds: int) -> None:
    """Drop what an interrupted attempt wrote behind the checkpoint that the next one starts from.

    Events too, or whoever reads them from the beginning would be told of one step or round twice. A checkpoint
    there is damaged, or it would be started from; one that has results is kept for them until the run comes by again.

    Args:
        epoch: epochs that the checkpoint has finished; 0 without one.
        step: optimiser steps that it has taken.
        rounds: sampling rounds that it holds.
    """
    at_step, at_round = JobEvent.data["step"].as_integer(), JobEvent.data["round"].as_integer()
    untrue = or_(
        and_(JobEvent.kind.in_(("progress", "metric")), at_step > step),
        and_(JobEvent.kind == "round", at_round > rounds),
    )
    for row in (
        delete(Metric).where(Metric.job_id == job_id, Metric.step > step),
        delete(TailnessEpoch).where(TailnessEpoch.job_id == job_id, TailnessEpoch.epoch > epoch),
        delete(SamplingRound).where(SamplingRound.job_id == job_id, SamplingRound.round > rounds),
        delete(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.step > step, ~_HAS_RESULTS),
        update(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.step > step).values(sha256=""),
        delete(JobEvent).where(JobEvent.job_id == job_id, untrue),
    ):
        session.execute(row.execution_options(synchronize_session=False))


def checkpoints(session: Session, job_id: str) -> list[Checkpoint]:
    """The job's checkpoints that a run can go on from, furthest first."""
    mine = select(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.usable)
    return list(session.scalars(mine.order_by(Checkpoint.step.desc(), Checkpoint.created_at.desc())))


def drop_old_checkpoints(session: Session, job_id: str, keep: int) -> list[str]:
    """Drop all but the last `keep` checkpoints.

    One that was evaluated or analysed stays, or its results would go with it.

    Returns:
        The artifact keys to delete once the transaction has committed.
    """
    kept = set(session.scalars(select(Checkpoint.id).where(Checkpoint.job_id == job_id, _HAS_RESULTS)))
    old = [row for row in checkpoints(session, job_id)[keep:] if row.id not in kept]
    for row in old:
        session.delete(row)
    return [row.artifact for row in old]


def finished_probes(session: Session, checkpoint_id: str) -> list[dict[str, Any]]:
    """Configurations of the probes that this checkpoint has results of."""
    done = select(Evaluation.config).where(Evaluation.checkpoint_id == checkpoint_id, Evaluation.status == "succeeded")
    return list(session.scalars(done))


def evaluation_event(row: Evaluation) -> dict[str, Any]:
    """What the `evaluation` event tells of a finished probe."""
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "checkpoint_id": row.checkpoint_id,
        "epoch": row.epoch,
        "accuracy": row.accuracy,
        "balanced_accuracy": row.balanced_accuracy,
        "group_accuracy": row.group_accuracy,
        "group_std": row.group_std,
    }


def analysis_event(row: Analysis) -> dict[str, Any]:
    """What the `analysis` event tells of a finished analysis; the result itself is asked for."""
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "checkpoint_id": row.checkpoint_id,
        "epoch": row.epoch,
    }
