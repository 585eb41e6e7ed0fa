"""How a job spent its time: seconds by phase, stored as curves of the job.

Each epoch adds one point per phase, at the epoch's last step. The job's evaluations have one point,
at the run's last step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import Metric
from store.repositories.recording import Point

PHASES = ("data", "forward_backward", "tailness", "round")
EPOCH, EVALUATION = "epoch", "evaluation"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that a run has taken so far.

    The time after the last checkpoint of an interrupted attempt is not included.
    """

    epochs: int  # number of epochs in these sums
    phases: dict[str, float]  # by name in PHASES
    other: float  # rest of these epochs: recording, waiting, the loop itself
    evaluation: float | None  # None before the first one is done


def curve(phase: str) -> str:
    """The name of a phase's curve."""
    return f"{phase}_seconds"


def epoch_points(step: int, seconds: float, phases: Mapping[str, float]) -> list[Point]:
    """Points of the epoch that ended with `step`: seconds of the whole epoch and of each phase."""
    return [(curve(name), step, value) for name, value in {EPOCH: seconds, **phases}.items()]


def evaluation_point(job_id: str, step: int, seconds: float) -> Metric:
    """The point for all of the job's own evaluations so far. Merge it: it replaces the last one."""
    return Metric(job_id=job_id, name=curve(EVALUATION), step=step, value=seconds)


def spent(session: Session, job_id: str) -> Spent:
    """Seconds that the run has taken, summed over its curves."""
    phase_of = {curve(phase): phase for phase in (*PHASES, EPOCH, EVALUATION)}
    rows = session.execute(
        select(Metric.name, func.count(), func.sum(Metric.value))
        .where(Metric.job_id == job_id, Metric.name.in_(phase_of))
        .group_by(Metric.name)
    )
    counts, sums = {}, {}
    for name, count, total in rows:
        counts[phase_of[name]], sums[phase_of[name]] = count, total
    phases = {phase: sums.get(phase, 0.0) for phase in PHASES}
    return Spent(
        counts.get(EPOCH, 0),
        phases,
        # A GPU's phases are read from its own clock. Their sum may slightly exceed the epoch.
        max(0.0, sums.get(EPOCH, 0.0) - sum(phases.values())),
        sums.get(EVALUATION),
    )
