"""Every status that a row can have.

The columns store plain strings, so a new status needs no migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class WorkStatus(StrEnum):
    """Status of a job, an evaluation or an analysis."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"  # a client has cancelled it, and a worker still has the row
    CANCELLED = "cancelled"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class RegistrationStatus(StrEnum):
    """Status of a data set or OOD pool."""

    REGISTERING = "registering"
    READY = "ready"
    FAILED = "failed"


class AttemptOutcome(StrEnum):
    """How one start of a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WORKER_LOST = "worker_lost"
    SHUT_DOWN = "shut_down"


FINAL = frozenset({WorkStatus.CANCELLED, WorkStatus.FAILED, WorkStatus.SUCCEEDED})


def status_of_all(counts: Mapping[WorkStatus | None, int]) -> WorkStatus:
    """The status of an experiment.

    Args:
        counts: its runs by the status of their job. None: it was deleted.
    """
    if WorkStatus.CANCELLING in counts:
        return WorkStatus.CANCELLING
    if WorkStatus.RUNNING in counts:
        return WorkStatus.RUNNING
    if WorkStatus.QUEUED in counts:
        return WorkStatus.QUEUED if len(counts) == 1 else WorkStatus.RUNNING
    if WorkStatus.FAILED in counts:
        return WorkStatus.FAILED
    return WorkStatus.CANCELLED if counts.keys() & {WorkStatus.CANCELLED, None} else WorkStatus.SUCCEEDED
