"""What has not been mirrored to a target yet.

The events of a job drive its mirror: `step`, `round` and `event_id` of a `MirroredJob` only grow.
A run that resumes records the steps and rounds after its checkpoint again. They are mirrored once.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from store.models import Dataset, Evaluation, Job, JobEvent, Metric, MirroredJob, utc_now
from store.repositories import metrics
from store.statuses import FINAL, WorkStatus

MOST_JOBS = 1000  # at once
MOST_STEPS, MOST_EVENTS, MOST_EVALUATIONS = 250, 200, 10  # of a part
_KINDS = ("metric", "round", "evaluation", "status")
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0  # seconds between two attempts at a refused packet

Point = tuple[str, int, float, dt.datetime]  # curve, step, value, when it was recorded


@dataclass(slots=True)
class Part:
    """The next part of a job for a target.

    Attributes:
        job: the job as it is now.
        dataset: the data set that it trains on.
        class_names: of the data set that it is evaluated on; None without.
        is_first: whether nothing of the job has been mirrored.
        event_id, step, round: the last that this part, or one before, has.
        points: of the curves, by step and name.
        rounds: events of sampling rounds.
        evaluations: those that have succeeded.
        status: the last event of a status; None if there is no new one.
    """

    job: Job
    dataset: Dataset
    class_names: Sequence[str] | None
    is_first: bool
    event_id: int
    step: int
    round: int
    points: list[Point] = field(default_factory=list)
    rounds: list[JobEvent] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    status: JobEvent | None = None


def due_jobs(session: Session, target: str) -> Sequence[str]:
    """Ids of jobs that have begun and have something to be sent, the furthest behind first."""
    mirror = and_(MirroredJob.job_id == Job.id, MirroredJob.target == target)
    seen = func.coalesce(MirroredJob.event_id, 0)
    is_new = exists().where(JobEvent.job_id == Job.id, JobEvent.id > seen, JobEvent.kind.in_(_KINDS))
    due = select(Job.id).outerjoin(MirroredJob, mirror)
    due = due.where(
        Job.started_at.is_not(None),
        or_(MirroredJob.packet.is_not(None), is_new),
        or_(MirroredJob.retry_at.is_(None), MirroredJob.retry_at <= utc_now()),
    )
    return session.scalars(due.order_by(seen, Job.created_at, Job.id).limit(MOST_JOBS)).all()


def get(session: Session, target: str, job_id: str) -> MirroredJob | None:
    """The row with its packet. None before the first one."""
    return session.get(MirroredJob, (target, job_id), options=[undefer(MirroredJob.packet)])


def next_part(session: Session, target: str, job_id: str) -> Part | None:
    """The next part of a job; None if it was deleted. Read it all from one moment (`reading`)."""
    job, row = session.get(Job, job_id), session.get(MirroredJob, (target, job_id))
    if job is None:
        return None
    dataset, evaluated = (session.get_one(Dataset, name) for name in (job.dataset_id, job.evaluated_on))
    begins = (0, 0, 0) if row is None else (row.event_id, row.step, row.round)
    part = Part(job, dataset, evaluated.class_names, row is None or row.state is None, *begins)
    after = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > part.event_id, JobEvent.kind.in_(_KINDS))
    known: list[tuple[int, dt.datetime]] = []  # a step, and when it and those before were recorded
    for event in session.scalars(after.order_by(JobEvent.id).limit(MOST_EVENTS)):
        if (step := _recorded_by(event, job)) > part.step:
            part.step = min(step, begins[1] + MOST_STEPS)
            known.append((part.step, event.created_at))
            if part.step < step:  # the next part begins with this event
                break
        part.event_id = event.id
        _take(session, part, event)
        if len(part.evaluations) == MOST_EVALUATIONS:
            break
    part.points = _points(session, job_id, begins[1], known)
    return part


def _recorded_by(event: JobEvent, job: Job) -> int:
    """The last step of which all points were recorded before the event; 0 if it does not tell.

    The curves of an epoch get their points at its last step, just after those of the step itself.
    So a step is whole once a later one is there, or the job has ended.
    """
    has_ended = job.status in FINAL
    if event.kind == "metric":
        before: int = event.data["step"] - 1
        return min(before, job.step if has_ended else job.step - 1)
    ends = event.kind == "status" and event.data["status"] in FINAL
    return job.step if ends and has_ended else 0


def _take(session: Session, part: Part, event: JobEvent) -> None:
    if event.kind == "status":
        part.status = event
    elif event.kind == "round" and event.data["round"] > part.round:
        part.round = event.data["round"]
        part.rounds.append(event)
    elif event.kind == "evaluation" and event.data["status"] == WorkStatus.SUCCEEDED:
        row = session.get(Evaluation, event.data["id"])
        if row is not None:
            part.evaluations.append(row)


def _points(session: Session, job_id: str, after: int, known: Sequence[tuple[int, dt.datetime]]) -> list[Point]:
    if not known:
        return []
    within = select(Metric.name, Metric.step, Metric.value).where(
        Metric.job_id == job_id,
        Metric.name.in_(metrics.names(session, job_id)),  # with it, the index has the steps
        Metric.step > after,
        Metric.step <= known[-1][0],
    )
    steps = [step for step, _ in known]
    rows = session.execute(within.order_by(Metric.step, Metric.name))
    return [(row.name, row.step, row.value, known[bisect_left(steps, row.step)][1]) for row in rows]


def store(session: Session, target: str, part: Part, packet: str) -> bool:
    """Store what is sent next, before it is sent. All before it was taken.

    Returns:
        False when the job was deleted meanwhile. Then nothing is written.
    """
    row = get(session, target, part.job.id)
    if row is None:
        row = MirroredJob(target=target, job_id=part.job.id)
    row.event_id, row.step, row.round, row.packet = part.event_id, part.step, part.round, packet
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return False
    return True


def taken(session: Session, target: str, job_id: str, state: dict[str, Any]) -> None:
    """The target has taken the packet.

    Args:
        state: what the target needs for the next one.
    """
    row = get(session, target, job_id)
    if row is not None:  # else the job was deleted meanwhile
        row.packet, row.state, row.faults, row.retry_at = None, state, 0, None
        session.flush()


def refused(session: Session, target: str, job_id: str) -> None:
    """The target has refused the job's packet. It is sent again after 30 s, 60 s and so on."""
    row = get(session, target, job_id)
    if row is not None:
        row.faults += 1
        pause = min(_FIRST_PAUSE * 2.0 ** min(row.faults - 1, 20), _LONGEST_PAUSE)
        row.retry_at = utc_now() + dt.timedelta(seconds=pause)
        session.flush()
