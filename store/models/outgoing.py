"""What is sent to other services: copies of jobs, and news of their end."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified


class SendingLease(Base):
    """The right of one worker to send to one receiver, such as `mlflow`, until it expires."""

    __tablename__ = "sending_leases"

    receiver: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str]
    expires_at: Mapped[dt.datetime]


class MirroredJob(Base):
    """How far a job has been mirrored to one target.

    What is sent next is stored in `packet` first, and sent unchanged until the target has taken it.
    """

    __tablename__ = "mirrored_jobs"

    target: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    # All up to these is in `packet`, or was taken.
    event_id: Mapped[int] = mapped_column(BigInteger, default=0)
    step: Mapped[int] = mapped_column(default=0)  # of points
    round: Mapped[int] = mapped_column(default=0)
    packet: Mapped[str | None] = mapped_column(Text, deferred=True)  # JSON; null: all of it was taken
    state: Mapped[dict[str, Any] | None]  # of the target, such as the id of its run; null before the first packet
    faults: Mapped[int] = mapped_column(default=0)  # refused packets in a row
    retry_at: Mapped[dt.datetime | None]


class Delivery(Identified, Base):
    """News that the webhook gets. The row is written with the change that it reports, in one
    transaction."""

    __tablename__ = "deliveries"

    event: Mapped[str]  # such as job.succeeded
    subject_id: Mapped[str]  # of the job or experiment
    body: Mapped[str] = mapped_column(Text)  # JSON, sent as it is
    key: Mapped[str | None] = mapped_column(unique=True)  # which end of an experiment it reports
    # Whether experiments that ended with this job have their deliveries.
    is_followed: Mapped[bool] = mapped_column(default=False, server_default=false())
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[dt.datetime | None] = mapped_column(index=True)  # null: it was taken, or given up
