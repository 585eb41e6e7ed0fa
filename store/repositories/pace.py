"""How long runs took, as an estimate of how long others like them will."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Job
from store.statuses import WorkStatus

# What the time of a step depends on most, beside the images.
_NAMED = ("framework", "sampler", "backbone", "stem", "device", "precision")
_COUNTED = ("width", "batch_size", "num_processes")


def seconds_per_step(session: Session, dataset_id: str, config: Mapping[str, Any]) -> float | None:
    """Seconds from the start to the end of the newest succeeded run like this one, by its steps.

    Its rounds and evaluations are in them.

    Args:
        config: every setting of the run.

    Returns:
        None if no run on these data with these settings has succeeded in one start.
    """
    alike = [
        *(Job.config[name].as_string() == config[name] for name in _NAMED),
        *(Job.config[name].as_integer() == config[name] for name in _COUNTED),
    ]
    ended = select(Job).where(Job.dataset_id == dataset_id, Job.status == WorkStatus.SUCCEEDED, Job.attempts == 1)
    job = session.scalars(
        ended.where(Job.steps > 0, Job.beginning_job_id.is_(None), *alike).order_by(Job.created_at.desc()).limit(1)
    ).first()
    if job is None or job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds() / job.steps
