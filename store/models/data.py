"""Uploads, data sets and OOD pools."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Identified
from store.models.leased import Leased


class Upload(Identified, Base):
    __tablename__ = "uploads"

    filename: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    artifact: Mapped[str]


class Registered(Identified, Leased):
    """A data set or pool, on its way in (`registering`), `ready`, or `failed` with the `problem`."""

    waiting = "registering"
    running = "registering"

    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="registering")
    spec: Mapped[dict[str, Any]]  # what was asked for: source, image_size, long_tail, ...
    progress: Mapped[float] = mapped_column(default=0.0)  # 0..1
    problem: Mapped[dict[str, Any] | None]
    image_size: Mapped[int | None]
    num_samples: Mapped[int | None]
    files: Mapped[dict[str, Any] | None]  # bytes and sha256 by name; null where an earlier version wrote them
    stored_as: Mapped[str | None] = mapped_column("artifact")  # null where an earlier version wrote it

    @property
    def folder(self) -> str:
        """In the artifact store, with the files of every attempt."""
        return f"{self.__tablename__}/{self.id}"  # type: ignore[attr-defined]

    def folder_of(self, token: str) -> str:
        """Where the attempt under this lease writes, and no other."""
        return f"{self.folder}/{token}"

    @property
    def artifact(self) -> str:
        """Folder of the images in the artifact store: of the attempt that ended well."""
        return self.stored_as or self.folder


class Dataset(Registered, Base):
    __tablename__ = "datasets"
    __table_args__ = (Index("ix_datasets_status", "status"), Index("ix_datasets_created_at", "created_at", "id"))

    num_classes: Mapped[int | None]
    class_names: Mapped[list[Any] | None]
    class_counts: Mapped[list[Any] | None]  # training part
    split_sizes: Mapped[dict[str, Any] | None]
    groups: Mapped[dict[str, Any] | None]


class OodPool(Registered, Base):
    __tablename__ = "ood_pools"
    __table_args__ = (Index("ix_ood_pools_status", "status"), Index("ix_ood_pools_created_at", "created_at", "id"))
