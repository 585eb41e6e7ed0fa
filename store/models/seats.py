"""Seats: the machines of a job with `num_hosts` > 1."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified


class Seat(Identified, Base):
    """What one worker gives to one attempt of a job.

    Until the job has all its seats, `attempt` and `node_rank` are null, and the seat is only
    offered. The seat of node rank 0 leads: its worker holds the job's lease.
    """

    __tablename__ = "seats"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int | None]  # `JobAttempt.number`
    node_rank: Mapped[int | None]
    worker_id: Mapped[str]
    address: Mapped[str]  # where the other machines reach this one
    port: Mapped[int | None]  # on which the leader listens; null in the others' seats
    gpus: Mapped[int]  # that its ranks use; 0: they compute on the CPU
    facts: Mapped[dict[str, Any]]  # what must be the same on all machines, by name
    leaving: Mapped[bool] = mapped_column(default=False)  # its worker was asked to stop
    lease_expires_at: Mapped[dt.datetime | None]  # null: it was given back
