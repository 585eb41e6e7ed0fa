"""Every status that a row can have. The columns hold plain strings, so a new status needs no
migration."""

from __future__ import annotations

from enum import StrEnum


class WorkStatus(StrEnum):
    """A job's, an evaluation's or an analysis' way from its request to its end."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"  # a client asked for the end; a worker still has the row
    CANCELLED = "cancelled"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class RegistrationStatus(StrEnum):
    """A data set's or OOD pool's way in."""

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
