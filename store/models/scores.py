"""Scores of images that no run has seen."""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import ForeignKey, false
from sqlalchemy.orm import Mapped, mapped_column

from store.bells import Bell
from store.models.base import Base
from store.models.leased import queue_indexes
from store.models.queued import CheckpointWork


class Score(CheckpointWork, Base):
    """The tailness of the images in an upload, by a checkpoint.

    Clients ask for it again and again, so events do not show it. It is removed after a while
    (`COLT_SCORE_KEEP_SECONDS`).
    """

    __tablename__ = "scores"
    noun = "score"
    bell = Bell.SCORE
    program = "worker.scorer:score"
    stays = True
    in_events = False
    __table_args__ = queue_indexes("scores")

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    checkpoint_id: Mapped[str] = mapped_column(ForeignKey("checkpoints.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int] = mapped_column()
    # The sampling round that the checkpoint scores as. Null: none had its weights.
    round: Mapped[int | None]
    upload_id: Mapped[str] = mapped_column(index=True)
    upload_removed: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Deferred, as they may have megabytes: fields of `ImageScore`; of `RefusedImage`.
    scores: Mapped[list[Any] | None] = mapped_column(deferred=True)
    refused: Mapped[list[Any] | None] = mapped_column(deferred=True)

    @property
    def keeps_upload(self) -> bool:
        """Whether the upload stays when the work has ended."""
        return bool(self.config.get("keep_upload"))

    @property
    def nearest(self) -> int:
        """How many training images to tell for each image."""
        return int(self.config.get("nearest", 0))

    @classmethod
    def leftovers(cls, row_id: str, token: str, row: Self | None) -> str | None:
        """The files of the upload, if its row is gone."""
        return f"uploads/{row.upload_id}" if row is not None and row.upload_removed else None
