"""A job's checkpoints. Files are written before the row, so a row never names a missing file."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from colt_core.events import CheckpointReady
from colt_core.snapshot import Snapshot
from store.artifacts import ArtifactDamaged, ArtifactStore, Stored
from store.database import reading
from store.models import Checkpoint, Job, new_id
from store.repositories import recording
from store.settings import get_settings
from worker import backbones
from worker.child import WorkFailed

if TYPE_CHECKING:
    from colt_core.models import Backbone

STATE, BACKBONE = "checkpoint.pt", "backbone.safetensors"

log = logging.getLogger("worker")


class CheckpointFolder:
    """`jobs/ID/checkpoints/EPOCH-STEP-ROUNDS-RANDOM/` in the artifact store.

    Each write has a name of its own. So a process that is paused in the middle of a write cannot
    replace the files of another worker that has taken over the job. Files that a kill leaves
    without a row are found later (store/orphans.py).
    """

    def __init__(self, artifacts: ArtifactStore, job_id: str, trained_on_sha256: str | None = None) -> None:
        """trained_on_sha256: digest of the training data, which the files of backbones tell."""
        self.artifacts = artifacts
        self._job_id = job_id
        self._about = {} if trained_on_sha256 is None else {"trained_on_sha256": trained_on_sha256}
        self.damaged: list[Checkpoint] = []  # that `last` has skipped

    def store(self, event: CheckpointReady) -> Checkpoint:
        """Write the whole state, and the backbone alone next to it.

        Returns:
            The row to record.

        Raises:
            OSError: when the store is full or cannot be used. Then neither file is left.
        """
        from colt_core.training.checkpoint import write_backbone, write_checkpoint  # torch

        row_id = new_id()
        key = f"jobs/{self._job_id}/checkpoints/{event.epoch}-{event.step}-{event.state['rounds']}-{row_id[:12]}"
        try:
            with self.artifacts.writing(f"{key}/{BACKBONE}") as backbone:
                write_backbone(event.state, backbone, self._about)
            with self.artifacts.writing(f"{key}/{STATE}") as state:
                write_checkpoint(event.state, state)
        except OSError:
            with suppress(OSError):
                self.artifacts.delete(key)
            raise
        return Checkpoint(
            id=row_id,
            job_id=self._job_id,
            epoch=event.epoch,
            step=event.step,
            artifact=key,
            bytes=state.stored.bytes,
            sha256=state.stored.sha256,
            backbone_sha256=backbone.stored.sha256,
        )

    def record(self, session: Session, row: Checkpoint) -> list[str]:
        """Add the row, and drop old rows and an earlier one of the same state.

        Returns:
            The keys to `delete` after the commit.
        """
        replaced = recording.replace_checkpoint(session, row)
        return replaced + recording.drop_old_checkpoints(session, self._job_id, get_settings().keep_checkpoints)

    def delete(self, keys: list[str]) -> None:
        """Delete files that no row names any more.

        Raises:
            ArtifactsUnavailable: when they cannot be deleted.
        """
        for key in keys:
            self.artifacts.delete(key)

    def last(self) -> tuple[Checkpoint, Snapshot] | None:
        """The furthest undamaged checkpoint, with its state; None when there is none.

        Raises:
            ArtifactsUnavailable: when the store cannot be used, so that this is unknown.
        """
        with reading() as session:
            rows = recording.checkpoints(session, self._job_id)
        self.damaged = []
        for row in rows:
            if (state := self.load(row)) is not None:
                return row, state
            log.warning("checkpoint %s is missing or damaged; trying the previous one", row.artifact)
            self.damaged.append(row)
        return None

    def load(self, row: Checkpoint) -> Snapshot | None:
        """The state of a checkpoint; None when its file is missing or damaged.

        Raises:
            ArtifactsUnavailable: when the store cannot be used.
        """
        from colt_core.training.checkpoint import load_checkpoint  # torch

        try:
            path = self.artifacts.whole_path(f"{row.artifact}/{STATE}", Stored(row.bytes, row.sha256))
        except (FileNotFoundError, ArtifactDamaged):
            return None
        return load_checkpoint(path)

    def start(self, job: Job) -> Snapshot | Backbone | None:
        """The state or backbone whose weights the job begins with; None: with random ones.

        Raises:
            WorkFailed: when the checkpoint or backbone is gone or damaged.
            WorkBrokeOff: when the backbone's file is missing.
            ArtifactsUnavailable: when the store cannot be used.
        """
        if job.start_from is None:
            return None
        if "backbone_id" in job.start_from:
            return backbones.load(job.start_from["backbone_id"])
        # Once the run has a checkpoint of its own, it no longer holds on to this one. It then needs
        # it only if all of its own were damaged.
        with reading() as session:
            row = session.get(Checkpoint, job.start_checkpoint_id or job.start_from["checkpoint_id"])
        state = self.load(row) if row is not None and row.usable else None
        if state is None:
            named = f"epoch {job.start_from['epoch']} of job {job.start_from['job_id']}"
            lost = f"the checkpoint to begin with (of {named}) is missing or damaged"
            raise WorkFailed(f"{lost}: submit a new job that begins with another one")
        return state

    def reload(self, row: Checkpoint) -> Snapshot:
        """The state of a checkpoint that another process of the job has just loaded and checked."""
        from colt_core.training.checkpoint import load_checkpoint  # torch

        return load_checkpoint(self.artifacts.local_path(f"{row.artifact}/{STATE}"))
