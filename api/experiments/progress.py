"""How far an experiment is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.experiments.schemas import ArmInfo, BackboneRunInfo, ExperimentDetails, ExperimentInfo, RunInfo
from api.experiments.service import find
from api.jobs.schemas import Progress
from store.models import Experiment, ExperimentArm, Job
from store.repositories import experiments
from store.repositories.backbone_runs import BackboneRun, backbone_runs
from store.statuses import FINAL, WorkStatus, status_of_all


def shown(session: Session, experiment: Experiment) -> ExperimentInfo:
    """An experiment as lists show it."""
    counts = experiments.counts_by_status(session, experiment.id)
    for found in backbone_runs(session, experiment, experiments.arms(session, experiment.id)):
        counts[found.status] = counts.get(found.status, 0) + 1
    return ExperimentInfo.of(experiment, status=status_of_all(counts), **_numbers(counts))


def details(session: Session, experiment_id: str) -> ExperimentDetails:
    """An experiment with its arms and jobs.

    Raises:
        NotFound: there is none.
    """
    experiment = find(session, experiment_id)
    arms = experiments.arms(session, experiment_id)
    runs = experiments.runs(session, experiment_id)
    of_backbones = backbone_runs(session, experiment, arms)
    counts = Counter([None if run.job is None else run.job.status for run in runs])
    counts.update(run.status for run in of_backbones)
    return ExperimentDetails.of(
        experiment,
        status=status_of_all(counts),
        **_numbers(counts),
        arms=[_arm(arm, of_backbones) for arm in arms],
        jobs=[
            RunInfo(
                arm=arms[run.arm].name,
                dataset_id=run.dataset_id,
                seed=run.seed,
                job_id=None if run.job is None else run.job.id,
                status=None if run.job is None else run.job.status,
                progress=None if run.job is None else Progress.of(run.job),
                error=None if run.job is None else run.job.error,
            )
            for run in runs
        ],
        eta_seconds=eta_seconds([run.job for run in runs if run.job is not None]),
    )


def _arm(arm: ExperimentArm, of_backbones: Sequence[BackboneRun]) -> ArmInfo:
    return ArmInfo(
        name=arm.name,
        config=arm.config,
        backbone_id=arm.backbone_id,
        evaluations=[
            BackboneRunInfo(
                dataset_id=run.dataset_id,
                kind=run.settings.kind,
                evaluation_id=None if run.evaluation is None else run.evaluation.id,
                status=run.status,
                error=None if run.evaluation is None else run.evaluation.error,
            )
            for run in of_backbones
            if run.arm == arm.position
        ],
        ood_pool_id=arm.ood_pool_id,
        train_on=arm.train_on,
    )


def _numbers(counts: dict[WorkStatus | None, int]) -> dict[str, int]:
    finished = sum(number for status, number in counts.items() if status is None or status in FINAL)
    return {"finished": finished, "total": sum(counts.values())}


def eta_seconds(jobs: Sequence[Job]) -> float | None:
    """Seconds until all have ended: what the running ones say, and the steps of the others."""
    left = [job for job in jobs if job.status not in FINAL]
    if not left:
        return None
    running = [job for job in left if job.eta_seconds is not None]
    seconds_per_step = _seconds_per_step(jobs)
    others = [job for job in left if job.eta_seconds is None]
    if others and seconds_per_step is None:
        return None
    steps = sum(_steps(job) - job.step for job in others)
    work = sum(job.eta_seconds or 0.0 for job in running) + steps * (seconds_per_step or 0.0)
    at_once = max(1, sum(job.status == WorkStatus.RUNNING for job in left))
    return max(work / at_once, max((job.eta_seconds or 0.0 for job in running), default=0.0))


def _seconds_per_step(jobs: Sequence[Job]) -> float | None:
    """Of those that have ended, with their evaluations; else of those that run. Of mere parts of
    runs it is not known."""
    ended = [
        job for job in jobs if job.status == WorkStatus.SUCCEEDED and job.started_at and job.finished_at and job.steps
    ]
    if ended:
        seconds = sum(
            (job.finished_at - job.started_at).total_seconds() for job in ended if job.finished_at and job.started_at
        )
        return seconds / sum(job.steps for job in ended)
    running = [job for job in jobs if job.eta_seconds is not None and job.steps > job.step]
    if not running:
        return None
    return sum(job.eta_seconds or 0.0 for job in running) / sum(job.steps - job.step for job in running)


def _steps(job: Job) -> int:
    return job.steps or (job.estimate or {}).get("steps", 0)
