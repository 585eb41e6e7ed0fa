"""Files made of checkpoints for other programs."""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base
from store.models.leased import queue_indexes
from store.models.queued import CheckpointWork


class Export(CheckpointWork, Base):
    """One file made of a checkpoint, of a kind in colt_core/exporting."""

    __tablename__ = "exports"
    noun = "export"
    __table_args__ = queue_indexes("exports")

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    checkpoint_id: Mapped[str] = mapped_column(ForeignKey("checkpoints.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int] = mapped_column()
    # The file; null until it is made.
    artifact: Mapped[str | None]
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]

    @property
    def folder(self) -> str:
        """Folder in the artifact store with the files of all attempts."""
        return f"jobs/{self.job_id}/exports/{self.id}"

    def folder_of(self, token: str) -> str:
        """Folder that only the attempt under this lease writes to."""
        return f"{self.folder}/{token}"

    @classmethod
    def leftovers(cls, row_id: str, token: str, row: Self | None) -> str | None:
        """This attempt's file, if unused. Without a row, the job was deleted with all files."""
        if row is None or (row.artifact or "").startswith(own := row.folder_of(token)):
            return None
        return own
