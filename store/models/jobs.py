"""Training jobs, what they report while they run, and what they leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SQLColumnExpression, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from store.bells import Bell
from store.models.base import Base, Identified, utc_now
from store.models.leased import queue_indexes
from store.models.queued import CheckpointWork, Queued
from store.statuses import AttemptOutcome


class Job(Queued, Base):
    """A pretraining run. The row has the latest values, so a list of jobs needs no join."""

    __tablename__ = "jobs"
    noun = "job"
    bell = Bell.TRAIN
    program = "worker.trainer:train"
    __table_args__ = (*queue_indexes("jobs"), Index("ix_jobs_created_at", "created_at", "id"))

    name: Mapped[str]
    tags: Mapped[list[Any]] = mapped_column(default=list)
    notes: Mapped[str] = mapped_column(default="", server_default="")
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    ood_pool_id: Mapped[str | None] = mapped_column(ForeignKey("ood_pools.id"), index=True)
    config: Mapped[dict[str, Any]]
    framework: Mapped[str]
    sampler: Mapped[str]
    evaluations: Mapped[list[Any]]  # kinds requested at submission
    # The data set to evaluate on. Null: the one that it trains on.
    evaluation_dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"), index=True)
    # Whose weights the run begins with, for people: checkpoint_id, job_id and epoch, or backbone_id
    # and name.
    start_from: Mapped[dict[str, Any] | None]
    # The same checkpoint or backbone, until the run has a checkpoint of its own and needs it no
    # more.
    start_checkpoint_id: Mapped[str | None] = mapped_column(ForeignKey("checkpoints.id", use_alter=True), index=True)
    start_backbone_id: Mapped[str | None] = mapped_column(ForeignKey("backbones.id"), index=True)
    # Digest of all that the run is a function of before its first sampling round. Of the jobs with
    # the same one, one trains this beginning for all. Null: it shares none.
    beginning: Mapped[str | None] = mapped_column(index=True)
    # Its own checkpoint at the end of the beginning, if it has trained it for all.
    beginning_checkpoint_id: Mapped[str | None] = mapped_column(
        ForeignKey("checkpoints.id", use_alter=True), index=True
    )
    # The job whose beginning it has taken over, for people. That job may have been deleted since.
    beginning_job_id: Mapped[str | None]

    queued_at: Mapped[dt.datetime | None] = mapped_column(
        default=utc_now
    )  # the last time; null in rows of earlier versions
    started_at: Mapped[dt.datetime | None]

    epoch: Mapped[int] = mapped_column(default=0)
    epochs: Mapped[int]
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    images_per_second: Mapped[float | None]
    eta_seconds: Mapped[float | None]
    loss: Mapped[float | None]  # mean of the last finished epoch
    accuracy: Mapped[float | None]  # of the first kind in `evaluations`
    few: Mapped[float | None]  # accuracy of the Few classes in the same evaluation
    std: Mapped[float | None]  # its `group_std`
    warnings: Mapped[list[Any] | None]  # as DataWarning; null: none
    compute: Mapped[dict[str, Any] | None]  # of the last attempt: device, precision, reason, threads
    # What it was estimated to need; null in rows of earlier versions. Lists do not show it.
    estimate: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)

    last_write: Mapped[str | None]  # id of the run's last committed transaction, see Recorder.flush
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    request_sha256: Mapped[str | None]

    @property
    def evaluated_on(self) -> str:
        """The id of the data set that its evaluations use."""
        return self.evaluation_dataset_id or self.dataset_id

    @classmethod
    def waiting_since(cls) -> SQLColumnExpression[dt.datetime]:
        """A job that was resumed or requeued has waited since then, not since its creation."""
        return func.coalesce(cls.queued_at, cls.created_at)

    def ended(self, status: str, reason: str | None, now: dt.datetime) -> None:
        super().ended(status, reason, now)
        self.eta_seconds = None


class JobAttempt(Base):
    """One start of a job, by one worker.

    `number` counts all starts of the job. `Job.attempts` is set back when a client resumes the job,
    and leaves out starts that the stop of a worker cut short.
    """

    __tablename__ = "job_attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[str]
    started_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[dt.datetime | None]
    outcome: Mapped[AttemptOutcome | None]  # null while it runs
    reason: Mapped[str | None]
    # Finished epochs and steps at its start (null until it begins to train) and at its end.
    from_epoch: Mapped[int | None]
    from_step: Mapped[int | None]
    epoch: Mapped[int | None]
    step: Mapped[int | None]


class Checkpoint(Identified, Base):
    __tablename__ = "checkpoints"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    epoch: Mapped[int]  # finished epochs
    step: Mapped[int]
    artifact: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    backbone_sha256: Mapped[str | None]  # of backbone.safetensors; null in rows of earlier versions

    @hybrid_property
    def usable(self) -> bool:
        """Whether runs resume from it.

        A damaged checkpoint that a run has skipped has an empty hash. Its row is kept only for its
        results.
        """
        return self.sha256 != ""


# Work on a checkpoint has the first two columns and not the others; work on a backbone has these
# alone.
_WITHOUT_CHECKPOINT = {"job_id": "NULL", "epoch": "NULL", "backbone_id": "NOT NULL", "dataset_id": "NOT NULL"}
_OF_EITHER = " AND ".join(f"(checkpoint_id IS NULL) = ({name} IS {null})" for name, null in _WITHOUT_CHECKPOINT.items())


class Evaluation(CheckpointWork, Base):
    """A probe of one checkpoint on the data of its job, or of a backbone on a data set."""

    __tablename__ = "evaluations"
    noun = "evaluation"
    # Columns with the names of a probe's results.
    FOUND = (
        *("accuracy", "balanced_accuracy", "per_class_accuracy", "group_accuracy", "group_std"),
        *("class_counts", "test_counts", "probe", "warnings"),
    )
    __table_args__ = (
        *queue_indexes("evaluations"),
        CheckConstraint(_OF_EITHER, name="of_checkpoint_or_backbone"),
    )

    backbone_id: Mapped[str | None] = mapped_column(ForeignKey("backbones.id"), index=True)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"), index=True)
    accuracy: Mapped[float | None]
    balanced_accuracy: Mapped[float | None]
    per_class_accuracy: Mapped[list[Any] | None]
    group_accuracy: Mapped[dict[str, Any] | None]
    group_std: Mapped[float | None]
    class_counts: Mapped[list[Any] | None]  # training images per class
    test_counts: Mapped[list[Any] | None]  # test images per class
    probe: Mapped[dict[str, Any] | None]  # as ProbeFit; null in rows of earlier versions
    warnings: Mapped[list[Any] | None]  # as DataWarning; null in rows of earlier versions
    result: Mapped[dict[str, Any] | None]  # results of the probe without a column of their own

    def told(self) -> dict[str, Any]:
        names = ("accuracy", "balanced_accuracy", "group_accuracy", "group_std")
        return super().told() | {name: getattr(self, name) for name in names}

    @staticmethod
    def shown(found: Mapping[str, Any]) -> dict[str, float | None]:
        """The columns of a job that shows an evaluation. `found`: results by names in `FOUND`."""
        few = (found.get("group_accuracy") or {}).get("few")
        return {"accuracy": found.get("accuracy"), "few": few, "std": found.get("group_std")}


class Analysis(CheckpointWork, Base):
    """One analysis of one checkpoint, or of a backbone on a data set, of a kind in
    colt_core/analyses."""

    __tablename__ = "analyses"
    noun = "analysis"
    __table_args__ = (
        *queue_indexes("analyses"),
        CheckConstraint(_OF_EITHER, name="of_checkpoint_or_backbone"),
    )

    backbone_id: Mapped[str | None] = mapped_column(ForeignKey("backbones.id"), index=True)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"), index=True)
    # Settings in place of those of a run. Null: there is a run.
    assumed: Mapped[dict[str, Any] | None]
    # Deferred: a map of 10,000 points takes half a megabyte, and lists do not show it.
    result: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)


class Metric(Base):
    """One point of a curve.

    A resumed run writes the steps after its checkpoint again. The values are the same, except
    those in seconds.
    """

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]


class CurveBucket(Base):
    """The extremes of a curve within `width` steps, from `bucket * width` on.

    Buckets of all widths are written with the points, so that a long curve can be drawn without
    reading all of it. See store/repositories/curve_buckets.py.
    """

    __tablename__ = "curve_buckets"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    points: Mapped[int]
    first_step: Mapped[int]
    last_step: Mapped[int]
    low_step: Mapped[int]  # the earliest, if several are as low
    high_step: Mapped[int]  # the latest, if several are as high
    first: Mapped[float]
    last: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]


class JobEvent(Base):
    """One event of a job's live stream. `id` is the SSE event id.

    Rows are only appended, with one exception: events about steps and rounds that a later attempt
    repeats are deleted.
    """

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job_id_id", "job_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    kind: Mapped[str]  # status, progress, metric, round, warning, log, or a noun of work on checkpoints
    data: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
