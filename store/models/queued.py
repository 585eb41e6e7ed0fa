"""Work that waits in a queue and can be cancelled: jobs, and work on their checkpoints."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.bells import Bell
from store.models.leased import Leased
from store.statuses import WorkStatus


class Queued(Leased):
    waiting = WorkStatus.QUEUED
    running = WorkStatus.RUNNING
    failed = WorkStatus.FAILED
    in_work = (WorkStatus.RUNNING, WorkStatus.CANCELLING)

    status: Mapped[WorkStatus] = mapped_column(default=WorkStatus.QUEUED)
    error: Mapped[str | None]
    finished_at: Mapped[dt.datetime | None]

    def ended(self, status: str, reason: str | None, now: dt.datetime) -> None:
        self.status = WorkStatus(status)
        self.error = reason
        self.finished_at = now


class CheckpointWork(Queued):
    """Work on one checkpoint, such as an evaluation, described by `kind` and `config`.

    Subclasses add columns for the result. An evaluation, an analysis or a pool check may be of a
    backbone instead; then it has neither job nor checkpoint.
    """

    bell = Bell.EXAMINE
    program = "worker.examiner:examine"
    in_events: ClassVar[bool] = True  # whether the events of its job show it

    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    checkpoint_id: Mapped[str | None] = mapped_column(ForeignKey("checkpoints.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    config: Mapped[dict[str, Any]]
    epoch: Mapped[int | None]  # of the checkpoint

    @property
    def folder(self) -> str | None:
        """Folder in the artifact store with its files; None if its results are in the row."""
        return None

    def told(self) -> dict[str, Any]:
        """The values that events show."""
        names = ("id", "kind", "status", "checkpoint_id", "epoch")
        return {name: getattr(self, name) for name in names}
