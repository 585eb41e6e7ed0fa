"""Tailness histories and sampling rounds.

There is one row per epoch or round. Arrays are packed as little-endian bytes. Those over the pool
are files, which the rows name.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base

# One value has a float32 for each image. PostgreSQL stores at most 1 GiB in a value, and counts its
# bytes in 32 bits.
MOST_IMAGES = 2**28
# Of a round with more numbers, images by cluster and class are not counted, as they would take
# megabytes.
MOST_CLASS_COUNTS = 100_000


class TailnessEpoch(Base):
    """Tailness of every ID training image after an epoch."""

    __tablename__ = "tailness_epochs"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    class_means: Mapped[list[Any]]  # mean per class; null for a class without images
    scores: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # float32 (N,)


class SamplingRound(Base):
    __tablename__ = "sampling_rounds"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    step: Mapped[int]
    clusters: Mapped[list[Any]]  # size, tailness, weight, budget, class_counts
    num_selected: Mapped[int]
    overlap: Mapped[float | None]  # share of the picks that the previous round also picked
    num_embedded: Mapped[int | None]  # pool images passed through the encoder; null in rounds of earlier versions
    seconds: Mapped[float]
    stop: Mapped[dict[str, Any] | None]  # as PickingStop: why it picked less than its budget
    # (M,) arrays over the pool in rows of earlier versions, else empty: see RoundScores. Arrays
    # are deferred, since a list of rounds needs none of them.
    ood_tailness: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")  # float32
    ood_cluster: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")  # uint16
    ood_similarity: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")  # float32
    ood_selected: Mapped[bytes] = mapped_column(LargeBinary, deferred=True, default=b"")  # uint8, 0 or 1
    # (N,) array over the training part.
    id_cluster: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # uint16
    # (num_selected, k) training images nearest to each OOD image picked, by index in the pool, and
    # their cosines. Null in rounds of earlier versions, and of very many picks.
    nearest: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  # int32
    nearest_similarity: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  # float16

    @property
    def budget(self) -> int:
        """K, the images that the round could pick."""
        return sum(cluster["budget"] for cluster in self.clusters)

    @property
    def picked_from(self) -> Literal["pool", "train"]:
        """Where the picks are from. A round that picks from the pool embeds images of it."""
        return "train" if self.num_embedded == 0 else "pool"


class RoundScores(Base):
    """What a round measured of the M images of the pool, and which it picked.

    Rounds that picked training images have no such row, and those of earlier versions have
    none until their scores are dropped.
    """

    __tablename__ = "round_scores"
    __table_args__ = (
        ForeignKeyConstraint(
            ["job_id", "round"], ["sampling_rounds.job_id", "sampling_rounds.round"], ondelete="CASCADE"
        ),
    )

    job_id: Mapped[str] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    images: Mapped[int]  # M
    # A file of the artifact store (store/pool_scores.py). Null: it was dropped, as
    # COLT_KEEP_ROUND_SCORES says.
    file: Mapped[str | None]
    # (P,) indices of the OOD images picked, ascending, int32. The table's last column, since SQLite
    # reads through a long value to what is behind it.
    picks: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    bytes: Mapped[int] = mapped_column(BigInteger)  # behind `picks`, whose type it would hide
    sha256: Mapped[str]
