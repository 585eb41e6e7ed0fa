"""Experiments, their arms and their runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from store.models import Evaluation, Experiment, ExperimentArm, ExperimentRun, Job
from store.repositories.pages import Slice, keyset_page
from store.statuses import WorkStatus


@dataclass(frozen=True, slots=True)
class Run:
    """An arm on one data set with one seed, and its job. None: the job was deleted."""

    arm: int
    dataset_id: str
    seed: int
    job: Job | None


def add(session: Session, experiment: Experiment, arms: Sequence[ExperimentArm]) -> bool:
    """Store an experiment without runs.

    Returns:
        False when another one has its idempotency key by now. Then nothing is written.
    """
    try:
        with session.begin_nested():
            session.add(experiment)
            session.flush()
            for arm in arms:
                arm.experiment_id = experiment.id
            session.add_all(arms)
            session.flush()
    except IntegrityError:
        return False
    return True


def add_runs(session: Session, experiment_id: str, runs: Iterable[Run]) -> None:
    """Add runs with their jobs."""
    session.add_all(
        ExperimentRun(
            experiment_id=experiment_id,
            arm=run.arm,
            dataset_id=run.dataset_id,
            seed=run.seed,
            job_id=None if run.job is None else run.job.id,
        )
        for run in runs
    )
    session.flush()


def remove_deleted(session: Session, experiment_id: str) -> None:
    """Remove the runs whose job was deleted."""
    mine = ExperimentRun.experiment_id == experiment_id
    session.execute(delete(ExperimentRun).where(mine, ExperimentRun.job_id.is_(None)))


def get(session: Session, experiment_id: str) -> Experiment | None:
    """The experiment with its protocol."""
    return session.get(Experiment, experiment_id, options=[undefer(Experiment.protocol)])


def lock(session: Session, experiment_id: str) -> Experiment | None:
    """The experiment, locked for this transaction. Code that adds or removes runs holds it."""
    return session.get(Experiment, experiment_id, with_for_update=True, populate_existing=True)


def page(session: Session, limit: int, cursor: str | None) -> Slice[Experiment]:
    """A page of experiments, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    return keyset_page(session, select(Experiment), Experiment, "-created_at", limit, cursor)


def arms(session: Session, experiment_id: str) -> Sequence[ExperimentArm]:
    """In their order."""
    mine = select(ExperimentArm).where(ExperimentArm.experiment_id == experiment_id)
    return session.scalars(mine.order_by(ExperimentArm.position)).all()


def runs(session: Session, experiment_id: str) -> list[Run]:
    """By arm, then seed, then data set. The jobs have their estimates."""
    found = session.execute(
        select(ExperimentRun, Job)
        .outerjoin(Job, Job.id == ExperimentRun.job_id)
        .where(ExperimentRun.experiment_id == experiment_id)
        .order_by(ExperimentRun.arm, ExperimentRun.seed, ExperimentRun.dataset_id)
        .options(undefer(Job.estimate))
        .execution_options(populate_existing=True)
    )
    return [Run(row.arm, row.dataset_id, row.seed, job) for row, job in found]


def of_job(session: Session, job_id: str, most: int) -> list[tuple[Experiment, str]]:
    """The newest experiments that a job is a run of, with the name of its arm."""
    found = session.execute(
        select(Experiment, ExperimentArm.name)
        .join(ExperimentRun, ExperimentRun.experiment_id == Experiment.id)
        .join(
            ExperimentArm,
            (ExperimentArm.experiment_id == Experiment.id) & (ExperimentArm.position == ExperimentRun.arm),
        )
        .where(ExperimentRun.job_id == job_id)
        .order_by(Experiment.created_at.desc(), Experiment.id.desc())
        .limit(most)
    )
    return [(experiment, arm) for experiment, arm in found]


def counts_by_status(session: Session, experiment_id: str) -> dict[WorkStatus | None, int]:
    """Runs by the status of their job. None: the job was deleted."""
    found = session.execute(
        select(Job.status, func.count().label("runs"))
        .select_from(ExperimentRun)
        .outerjoin(Job, Job.id == ExperimentRun.job_id)
        .where(ExperimentRun.experiment_id == experiment_id)
        .group_by(Job.status)
    )
    return {row.status: row.runs for row in found}


def last_evaluations(session: Session, job_ids: Collection[str], kind: str) -> dict[str, list[Evaluation]]:
    """Each job's successful evaluations of this kind after its last epoch, newest first."""
    found = session.scalars(
        select(Evaluation)
        .join(Job, Job.id == Evaluation.job_id)
        .where(
            Evaluation.job_id.in_(job_ids),
            Evaluation.kind == kind,
            Evaluation.status == WorkStatus.SUCCEEDED,
            Evaluation.epoch == Job.epochs,
        )
        .order_by(Evaluation.created_at.desc(), Evaluation.id.desc())
    )
    by_job: dict[str, list[Evaluation]] = {}
    for row in found:
        assert row.job_id is not None  # it is of a checkpoint
        by_job.setdefault(row.job_id, []).append(row)
    return by_job


def remove(session: Session, experiment: Experiment) -> None:
    """Delete a locked experiment. Its jobs stay."""
    session.delete(experiment)
    session.flush()
