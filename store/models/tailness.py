"""Tailness histories and sampling rounds. Arrays are packed, little-endian, one row an epoch or a
round."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base

# A float32 of each image is kept in one value, of which PostgreSQL takes 1 GiB and counts the bytes
# in 32 bits.
MOST_IMAGES = 2**28


class TailnessEpoch(Base):
    """Tailness of every ID training image after an epoch."""

    __tablename__ = "tailness_epochs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    class_means: Mapped[list[Any]]  # mean by class; null for a class without images
    scores: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # float32 (N,)


class SamplingRound(Base):
    __tablename__ = "sampling_rounds"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    step: Mapped[int]
    clusters: Mapped[list[Any]]  # size, tailness, weight, budget, class_counts
    num_selected: Mapped[int]
    overlap: Mapped[float | None]  # share of the picks that the round before had picked too
    num_embedded: Mapped[int | None]  # pool images that went through the encoder; null in rounds before it was kept
    seconds: Mapped[float]
    # Over the pool (M,); deferred, since a list of rounds needs none of them.
    ood_tailness: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # float32
    ood_cluster: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # uint16
    ood_similarity: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # float32
    ood_selected: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # uint8, 0 or 1
    # Over the training part (N,).
    id_cluster: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # uint16
