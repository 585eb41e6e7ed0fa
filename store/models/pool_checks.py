"""Checks of OOD pools."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base
from store.models.leased import queue_indexes
from store.models.queued import CheckpointWork


class PoolCheck(CheckpointWork, Base):
    """A comparison of a pool with a data set, in the features of a checkpoint or a backbone."""

    __tablename__ = "pool_checks"
    noun = "pool_check"
    __table_args__ = (
        *queue_indexes("pool_checks"),
        CheckConstraint(
            "(checkpoint_id IS NULL) = (job_id IS NULL) AND (checkpoint_id IS NULL) = (epoch IS NULL)"
            " AND (checkpoint_id IS NULL) = (backbone_id IS NOT NULL)",
            name="of_checkpoint_or_backbone",
        ),
    )

    backbone_id: Mapped[str | None] = mapped_column(ForeignKey("backbones.id", ondelete="CASCADE"), index=True)
    ood_pool_id: Mapped[str] = mapped_column(ForeignKey("ood_pools.id", ondelete="CASCADE"), index=True)
    # Not always the one that the checkpoint's job trained on.
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), index=True)
    # Deferred: it has numbers for each class, and lists do not show it.
    result: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)

    @property
    def budget(self) -> int:
        """K, from its settings."""
        budget: int = self.config["budget"]
        return budget
