"""Rows about the service itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified, utc_now


class ApiToken(Identified, Base):
    """A token's hash. The token itself is shown once and never stored."""

    __tablename__ = "api_tokens"

    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]  # read, write


class Worker(Base):
    """A worker. While it lives, it updates its heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    heartbeat_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    # `Devices` of its machine; null until it has looked, and in rows of earlier versions.
    devices: Mapped[dict[str, Any] | None]


class KnownDevices(Base):
    """Devices that some worker has reported. Rows of workers end with them; these stay."""

    __tablename__ = "known_devices"

    sha256: Mapped[str] = mapped_column(primary_key=True)  # of the devices
    devices: Mapped[dict[str, Any]]
    seen_at: Mapped[dt.datetime] = mapped_column(default=utc_now)  # first


class MeasuredActivations(Base):
    """What a worker measured of an encoder by a dry run, see colt_core/cost/dry_run.py."""

    __tablename__ = "measured_activations"

    encoder: Mapped[str] = mapped_column(primary_key=True)  # its settings, image size and precision, as JSON
    per_view: Mapped[float]  # bytes
    fixed: Mapped[float]  # bytes
    measured_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
