"""Experiments: arms on data sets with seeds. Each run of an arm is an ordinary job."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified


class Experiment(Identified, Base):
    """What is compared on which data. Its status is that of its jobs."""

    __tablename__ = "experiments"
    __table_args__ = (Index("ix_experiments_created_at", "created_at", "id"),)

    name: Mapped[str]
    template: Mapped[str | None]  # name of the bundled one that it came from
    # Ids. Rows of jobs refer to the data, so an experiment whose jobs are deleted keeps none.
    dataset_ids: Mapped[list[Any]]
    ood_pool_id: Mapped[str | None]
    seeds: Mapped[list[Any]]
    evaluations: Mapped[list[Any]]
    baseline: Mapped[str]  # name of an arm
    protocol: Mapped[str] = mapped_column(Text, default="", deferred=True)  # lists do not show it
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    request_sha256: Mapped[str | None]


class ExperimentArm(Base):
    """One of what is compared: settings, or a backbone that no seed changes.

    `config` is whole, so a later seed has the same.
    """

    __tablename__ = "experiment_arms"
    # A column that nothing sets is NULL; None would be stored as the JSON document null.
    __table_args__ = (CheckConstraint("(config IS NULL) = (backbone_id IS NOT NULL)", name="of_config_or_backbone"),)

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 0
    name: Mapped[str]
    config: Mapped[dict[str, Any] | None]
    backbone_id: Mapped[str | None]  # as ids of data: what refers to the backbone is its evaluations
    ood_pool_id: Mapped[str | None]
    # Ids of the data sets that it trains on, one for each of the experiment's. Null: on those.
    train_on: Mapped[list[Any] | None]


class ExperimentRun(Base):
    """An arm on one data set with one seed."""

    __tablename__ = "experiment_runs"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True)
    arm: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # its position
    dataset_id: Mapped[str] = mapped_column(primary_key=True)  # one of the experiment's
    seed: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)  # null: deleted
