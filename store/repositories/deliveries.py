"""News for the webhook. Each is written with the change that it reports, and kept until it was
sent."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from store.models import Delivery, Experiment, ExperimentRun, Job, new_id, utc_now
from store.repositories import experiments
from store.repositories.backbone_runs import backbone_runs
from store.settings import get_settings
from store.statuses import FINAL, WorkStatus, status_of_all

GIVE_UP_AFTER = dt.timedelta(days=1)
KEEP = dt.timedelta(days=7)  # what was sent or given up
_ENDED = {*FINAL, None}  # None: it was deleted
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0  # seconds between two attempts


def add_ended(session: Session, job_ids: Collection[str]) -> None:
    """Add the news of jobs that have just ended. Nothing happens without a webhook."""
    if not job_ids or not get_settings().webhook_url.get_secret_value():
        return
    ended = select(Job.id, Job.name, Job.status, Job.error).where(Job.id.in_(job_ids))
    session.add_all(_delivery("job", row.id, row.name, row.status, row.error) for row in session.execute(ended).all())
    session.flush()


def add_ended_experiments(session: Session) -> None:
    """Add the news of experiments that ended with a job, or with an evaluation after it.

    Jobs that end at once do not see each other. So this is done after their commit, by the one
    worker that sends.
    """
    ended = session.execute(select(Delivery.id, Delivery.subject_id).where(Delivery.is_followed.is_(False))).all()
    if not ended:
        return
    runs = select(ExperimentRun.experiment_id, ExperimentRun.job_id)
    of_jobs = session.execute(runs.where(ExperimentRun.job_id.in_([row.subject_id for row in ended]))).all()
    found = session.scalars(select(Experiment).where(Experiment.id.in_({run.experiment_id for run in of_jobs}))).all()
    open_ids = {experiment.id for experiment in found if not _follow(session, experiment)}
    open_jobs = {run.job_id for run in of_jobs if run.experiment_id in open_ids}
    followed = [row.id for row in ended if row.subject_id not in open_jobs]
    session.execute(update(Delivery).where(Delivery.id.in_(followed)).values(is_followed=True))


def _follow(session: Session, experiment: Experiment) -> bool:
    """Add the news of an experiment, if all its work has ended.

    Returns:
        False when only evaluations of backbones are missing. No end of a job will show theirs.
    """
    counts = Counter(experiments.counts_by_status(session, experiment.id))
    if not counts.keys() <= _ENDED:
        return True
    arms = experiments.arms(session, experiment.id)
    counts.update(run.status for run in backbone_runs(session, experiment, arms))
    if not counts.keys() <= _ENDED:
        return False
    of_it = select(ExperimentRun.job_id).where(ExperimentRun.experiment_id == experiment.id)
    last = session.scalar(select(func.max(Job.finished_at)).where(Job.id.in_(of_it)))
    key = f"{experiment.id} {last}"  # several jobs may have ended with it
    if session.scalar(select(Delivery.id).where(Delivery.key == key)) is None:
        failed = counts[WorkStatus.FAILED]
        error = f"{failed} of {counts.total()} runs failed" if failed else None
        row = _delivery("experiment", experiment.id, experiment.name, status_of_all(counts), error)
        row.key, row.is_followed = key, True
        session.add(row)
        session.flush()
    return True


def _delivery(noun: str, subject_id: str, name: str, status: WorkStatus, error: str | None) -> Delivery:
    now, event, at = utc_now(), f"{noun}.{status}", get_settings().links_begin
    body: dict[str, Any] = {
        "event": event,
        "created_at": now.isoformat(),
        "id": subject_id,
        "name": name,
        "status": status,
        "error": error,
        "urls": {"api": f"{at}/api/v1/{noun}s/{subject_id}", "dashboard": f"{at}/{noun}s/{subject_id}"},
    }
    return Delivery(
        id=new_id(), created_at=now, event=event, subject_id=subject_id, body=json.dumps(body), retry_at=now
    )


def are_due(session: Session) -> bool:
    """Whether any is to be sent, or experiments may have ended."""
    not_followed = select(Delivery.id).where(Delivery.is_followed.is_(False)).limit(1)
    return next_due(session) is not None or session.scalar(not_followed) is not None


def next_due(session: Session) -> Delivery | None:
    """The delivery that was to be sent first."""
    due = select(Delivery).where(Delivery.retry_at <= utc_now())
    return session.scalar(due.order_by(Delivery.retry_at, Delivery.id).limit(1))


def taken(session: Session, delivery_id: str) -> None:
    """The webhook has taken it."""
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id)
        .values(attempts=Delivery.attempts + 1, retry_at=None)
        .execution_options(synchronize_session=False)
    )


def not_taken(session: Session, delivery_id: str) -> bool:
    """Send it again later: after 5 s, 10 s, 20 s and so on, at most an hour.

    Returns:
        False when it was given up, a day after its first attempt was due.
    """
    row = session.get_one(Delivery, delivery_id)
    row.attempts += 1
    now = utc_now()
    goes_on = now - row.created_at < GIVE_UP_AFTER
    pause = min(_FIRST_PAUSE * 2.0 ** min(row.attempts - 1, 20), _LONGEST_PAUSE)
    row.retry_at = now + dt.timedelta(seconds=pause) if goes_on else None
    session.flush()
    return goes_on


def remove_old(session: Session) -> None:
    """Remove what was sent or given up long ago."""
    old = Delivery.retry_at.is_(None), Delivery.created_at < utc_now() - KEEP
    session.execute(delete(Delivery).where(*old).execution_options(synchronize_session=False))
