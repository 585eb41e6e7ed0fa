"""Uploads, and what is registered: data sets, OOD pools and backbones."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any, ClassVar, Self

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from colt_core.architectures import Architecture
from store.bells import Bell
from store.models.base import Base, Identified, utc_now
from store.models.leased import Leased, queue_indexes
from store.statuses import RegistrationStatus


class Upload(Identified, Base):
    __tablename__ = "uploads"

    filename: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    artifact: Mapped[str]
    # When a registration last named it. Null: never, or in rows of earlier versions.
    used_at: Mapped[dt.datetime | None]


class UnfinishedUpload(Identified, Base):
    """An upload that arrives in several requests. Once it is complete, its `Upload` has the same
    id."""

    __tablename__ = "unfinished_uploads"

    filename: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)  # of the whole file
    sha256: Mapped[str | None]  # of the whole file, if the client has announced it
    arrived: Mapped[int] = mapped_column(BigInteger, default=0)  # the bytes of its parts
    touched_at: Mapped[dt.datetime] = mapped_column(default=utc_now)  # when the last part arrived


class UploadPart(Base):
    """The bytes of an unfinished upload from `start` on."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(ForeignKey("unfinished_uploads.id", ondelete="CASCADE"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    bytes: Mapped[int] = mapped_column(BigInteger)
    artifact: Mapped[str]


class Registered(Leased):
    """Data or a backbone: `registering`, `ready`, or `failed` with a `problem`."""

    called: ClassVar[str]  # for people

    bell = Bell.PREPARE
    waiting = running = RegistrationStatus.REGISTERING
    failed = RegistrationStatus.FAILED
    in_work = (RegistrationStatus.REGISTERING,)

    name: Mapped[str]
    status: Mapped[RegistrationStatus] = mapped_column(default=RegistrationStatus.REGISTERING)
    spec: Mapped[dict[str, Any]]  # what was asked for: source, image_size, long_tail, ...
    request_sha256: Mapped[str | None]  # of the body; null in rows of earlier versions
    progress: Mapped[float] = mapped_column(default=0.0)  # 0..1
    problem: Mapped[dict[str, Any] | None]
    files: Mapped[dict[str, Any] | None]  # bytes and sha256 by name; null in rows of earlier versions
    stored_as: Mapped[str | None] = mapped_column("artifact")  # null in rows of earlier versions

    @property
    def fingerprint(self) -> str | None:
        """Digest of the stored content, wherever it is stored. Null in rows of earlier versions."""
        if self.files is None:
            return None
        digests = {name: stored["sha256"] for name, stored in self.files.items()}
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()

    @property
    def folder(self) -> str:
        """Folder in the artifact store with the files of all attempts."""
        return f"{self.__tablename__}/{self.id}"

    def folder_of(self, token: str) -> str:
        """Folder that only the attempt under this lease writes to."""
        return f"{self.folder}/{token}"

    @property
    def artifact(self) -> str:
        """Folder in the artifact store with the files of the attempt that succeeded."""
        return self.stored_as or self.folder

    def ended(self, status: str, reason: str | None, now: dt.datetime) -> None:
        self.status = RegistrationStatus(status)
        if reason is not None:
            self.problem = {"type": "about:blank", "title": "Registration failed", "status": 422, "detail": reason}

    @classmethod
    def leftovers(cls, row_id: str, token: str, row: Self | None) -> str | None:
        """All files if the registration failed or was deleted; else this attempt's, if unused."""
        if row is None or row.status == RegistrationStatus.FAILED:
            return f"{cls.__tablename__}/{row_id}"
        own = row.folder_of(token)
        return None if row.artifact == own else own


class RegisteredImages(Registered):
    """A data set or pool."""

    program = "worker.registrar:register"

    image_size: Mapped[int | None]
    num_samples: Mapped[int | None]
    layout: Mapped[str | None]  # how the source was arranged; null in rows of earlier versions
    warnings: Mapped[list[Any] | None]  # as DataWarning; null in rows of earlier versions

    @property
    def value_range(self) -> list[int] | None:
        """The values of 16-bit images that became 0 and 255. The registration adds it to `spec`."""
        return self.spec.get("value_range")


class Dataset(RegisteredImages, Base):
    __tablename__ = "datasets"
    noun = "dataset"
    called = "data set"
    __table_args__ = (*queue_indexes("datasets"), Index("ix_datasets_created_at", "created_at", "id"))

    # Indices that the request held itself, one a line. `spec` has their number and digest.
    # Deferred, since lists show none of them.
    indices: Mapped[str | None] = mapped_column(Text, deferred=True)
    num_classes: Mapped[int | None]
    class_names: Mapped[list[Any] | None]
    class_counts: Mapped[list[Any] | None]  # training part
    probe_counts: Mapped[list[Any] | None]  # probe part; null in rows of earlier versions
    split_sizes: Mapped[dict[str, Any] | None]
    groups: Mapped[dict[str, Any] | None]

    @property
    def request(self) -> dict[str, Any]:
        """`spec`, with the indices that the request held."""
        if self.indices is None:
            return self.spec
        indices = [int(line) for line in self.indices.split()]
        return {**self.spec, "long_tail": {**self.spec["long_tail"], "indices": indices}}

    @property
    def labels(self) -> bool:
        """Whether the images have labels.

        Without them there are no classes, and all images are the training part.
        """
        return bool(self.spec.get("labels", True))

    @property
    def no_evaluation(self) -> str | None:
        """Why probes cannot be evaluated on these data, which are ready; None if they can."""
        if (self.split_sizes or {}).get("test", 0) > 0:
            return None
        return f"'{self.name}' has no {'test part' if self.labels else 'labels'} to evaluate with"

    @property
    def can_evaluate(self) -> bool:
        """Whether probes can be evaluated on these data."""
        return self.no_evaluation is None

    @property
    def sizes(self) -> tuple[list[int], list[int], int]:
        """Training images and probe images by class, and images of the val part.

        Without labels, all images are of one class.
        """
        splits, probe = self.split_sizes or {}, self.probe_counts
        train = self.class_counts or [splits.get("train", 0)]
        if probe is None:  # a row of an earlier version, whose probe parts have equally many of each class
            probe = [splits.get("probe", 0) // len(train)] * len(train)
        return train, probe, splits.get("val", 0)


class OodPool(RegisteredImages, Base):
    __tablename__ = "ood_pools"
    noun = "ood_pool"
    called = "OOD pool"
    __table_args__ = (*queue_indexes("ood_pools"), Index("ix_ood_pools_created_at", "created_at", "id"))


class BackboneWeights(Registered, Base):
    """A backbone that no job here trained, or a copy of one that did.

    `spec` holds its source, architecture, and the mean and deviation of its pixels, all resolved.
    """

    __tablename__ = "backbones"
    noun = "backbone"
    called = "backbone"
    program = "worker.backbones:register"
    __table_args__ = (*queue_indexes("backbones"), Index("ix_backbones_created_at", "created_at", "id"))

    # How the names of an uploaded file fitted: prefix, matched, missing, unexpected. Deferred,
    # since lists show none of them.
    names: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    matched_share: Mapped[float | None]  # of the weights; null without a file

    @property
    def architecture(self) -> Architecture:
        """Which checkpoints and runs its weights fit."""
        return Architecture(self.spec["backbone"], self.spec["width"], self.spec["stem"])
