"""Models of what a user asks for when registering data.

Library, API and database share them. This module imports neither torch nor numpy, so that the API
can check a request without loading them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationInfo, field_validator, model_validator

MAX_INDICES = 2**31
Seed = Annotated[int, Field(ge=0, lt=2**31)]
ImageSize = Annotated[int, Field(ge=8, le=1024, description="Side of the square images, in pixels.")]
TorchvisionName = Literal["CIFAR10", "CIFAR100", "STL10", "SVHN", "MNIST", "FashionMNIST"]
DatasetSample = Literal["digits"]
PoolSample = Literal["glyphs-and-patches"]
SOURCES = {
    "upload": "Upload",
    "path": "Folder or file on the server",
    "torchvision": "torchvision",
    "sample": "Bundled sample",
}
LAYOUTS = ("folders", "arrays")  # `[train|val|test/]CLASS/IMAGE`, and an .npz or .npy


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class UploadSource(_Model):
    """An uploaded zip, tar, tar.gz, npz or (for pools) npy."""

    kind: Literal["upload"] = "upload"
    upload_id: str = Field(min_length=1, max_length=200)


class PathSource(_Model):
    """A folder or archive on the server, under one of its allowed roots."""

    kind: Literal["path"] = "path"
    path: str = Field(min_length=1, max_length=4096)


class TorchvisionSource(_Model):
    """A data set that torchvision knows by name."""

    kind: Literal["torchvision"] = "torchvision"
    name: TorchvisionName
    download: bool = Field(False, strict=True, description="Download the data if they are not on the server yet.")


class DatasetSampleSource(_Model):
    """A labelled sample that comes with the dependencies and needs no network."""

    kind: Literal["sample"] = "sample"
    name: DatasetSample


class PoolSampleSource(_Model):
    """An unlabelled sample that needs no network."""

    kind: Literal["sample"] = "sample"
    name: PoolSample


DatasetSource = Annotated[
    UploadSource | PathSource | TorchvisionSource | DatasetSampleSource, Field(discriminator="kind")
]
PoolSource = Annotated[UploadSource | PathSource | TorchvisionSource | PoolSampleSource, Field(discriminator="kind")]


class LongTail(_Model):
    """How to cut a long-tailed training part. Only `profile` is required."""

    profile: Literal["exp", "step", "pareto", "balanced", "indices"]
    imbalance_ratio: float = Field(
        100, ge=1, le=1e6, description="Images of the largest class divided by those of the rarest."
    )
    max_per_class: int | None = Field(
        None,
        ge=1,
        lt=MAX_INDICES,
        description="Images of the largest class. Default: as many as the rarest class has.",
    )
    order: Literal["index", "random"] = Field(
        "index", description="index: class 0 is the largest. random: a seeded order."
    )
    seed: Seed = 0
    # Only the first wrong one is reported: a message for each of a million would take gigabytes.
    indices: Annotated[tuple[Annotated[int, Field(ge=0, lt=MAX_INDICES)], ...] | None, FailFast()] = Field(
        None, description="Profile `indices`: positions in the training part to keep."
    )
    upload_id: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Profile `indices`: an upload of such positions (.npy, .txt), or a split list: a .txt of "
        "lines `CLASS/IMAGE LABEL`, which chooses the classes too.",
    )

    @model_validator(mode="after")
    def _indices_where_they_belong(self) -> Self:
        given = (self.indices is not None) + (self.upload_id is not None)
        if self.profile == "indices" and given != 1:
            raise ValueError("profile 'indices' needs either `indices` or `upload_id`")
        if self.profile != "indices" and given:
            raise ValueError(f"profile '{self.profile}' takes neither `indices` nor `upload_id`")
        return self


class DatasetSpec(_Model):
    """How a labelled source becomes a data set."""

    image_size: ImageSize | None = Field(None, description="None: all images are squares of one size already.")
    labels: bool = Field(
        True,
        strict=True,
        description="false: images alone, in any arrangement, to pretrain on. All of them are the training part.",
    )
    long_tail: LongTail | None = None
    test_fraction: float = Field(
        0.2, gt=0, lt=1, description="Share of each class to cut if the source has no test part."
    )
    seed: Seed = 0

    @field_validator("long_tail", "test_fraction")
    @classmethod
    def _by_class(cls, value: Any, info: ValidationInfo) -> Any:
        """Runs for given values alone."""
        if value is not None and info.data.get("labels") is False:
            raise ValueError("needs labels, as it cuts by class: leave it out, or register the images with labels")
        return value


class PoolSpec(_Model):
    """How an unlabelled source becomes an OOD pool."""

    image_size: ImageSize | None = Field(None, description="None: all images are squares of one size already.")
