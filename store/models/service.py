"""Rows about the service itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified, utc_now


class ApiToken(Identified, Base):
    """A token's hash. The token itself is shown once and never stored."""

    __tablename__ = "api_tokens"

    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]  # read, write
    revoked_at: Mapped[dt.datetime | None]  # null: it is valid


class ApiSession(Identified, Base):
    """A browser that signed in with a token. Its cookie holds a secret, whose hash this is."""

    __tablename__ = "api_sessions"

    sha256: Mapped[str] = mapped_column(unique=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[dt.datetime]


class ServiceKey(Base):
    """A secret that all processes of the service share. The migration that adds it makes it."""

    __tablename__ = "service_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


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
