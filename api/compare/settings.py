"""Groups jobs by setting: those that differ by their seed alone are runs of one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.compare.data import DATA, data_differences
from colt_core.config import PretrainConfig
from colt_core.differing import differing_settings
from store.models import Job


def settings_of(session: Session, jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs of each setting. Settings and their jobs are in order of appearance."""
    groups: list[list[Job]] = []
    for job in jobs:
        alike = next((group for group in groups if not differs_in(session, job, group[0])), None)
        if alike is None:
            groups.append([job])
        else:
            alike.append(job)
    return groups


def differs_in(session: Session, job: Job, other: Job) -> list[str]:
    """What can make the results of two jobs differ, apart from the seed: settings, where they start
    from, and their data."""
    found = differing_settings(*(PretrainConfig.from_stored(row.config) for row in (job, other)))
    if _start(job) != _start(other):
        found.append("start_from")
    in_data = data_differences(session, [job, other])
    return found + [name for name in DATA if name in in_data]


def _start(job: Job) -> str | None:
    return (job.start_from or {}).get("checkpoint_id")
