"""Models of what a user asks for when registering data.

Library, API and database share them. This module imports neither torch nor numpy, so that the API
can check a request without loading them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from colt_core.data.layouts.kinds import LayoutName
from colt_core.numbers import WithNumbers

MAX_INDICES = 2**31
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Bits16 = Annotated[int, Field(ge=-(2**15), lt=2**16)]  # a value of signed or unsigned 16 bits
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


_UploadId = Annotated[str, Field(min_length=1, max_length=200)]
_ClassName = Annotated[str, Field(min_length=1, max_length=200)]
# The discriminator lets an error be about the form that was sent, not about both.
_LabelNames = Annotated[
    Annotated[dict[str, _ClassName], Tag("by name")] | Annotated[tuple[_ClassName, ...], Tag("in order")],
    Discriminator(lambda value: "in order" if isinstance(value, list | tuple) else "by name"),
]


class _Model(WithNumbers):
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
        None,
        description="Profile `indices`: positions in the training part to keep. A request to the service takes at most "
        "10,000, and longer lists as an upload.",
    )
    upload_id: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Profile `indices`: an upload of such positions (.npy, .txt), or the list of the training "
        "images, as `lists.train`.",
    )

    @model_validator(mode="after")
    def _indices_where_they_belong(self) -> Self:
        given = (self.indices is not None) + (self.upload_id is not None)
        if self.profile == "indices" and given != 1:
            raise ValueError("profile 'indices' needs either `indices` or `upload_id`")
        if self.profile != "indices" and given:
            raise ValueError(f"profile '{self.profile}' takes neither `indices` nor `upload_id`")
        return self


class TableColumns(_Model):
    """The columns of a table that lies beside the images. What is left out is guessed."""

    file: str | None = Field(None, min_length=1, max_length=4096, description="The table's name in the data.")
    path: str | None = Field(None, min_length=1, max_length=1000, description="Column of the images' paths.")
    label: str | None = Field(None, min_length=1, max_length=1000, description="Column of the labels.")
    split: str | None = Field(None, min_length=1, max_length=1000, description="Column of the parts.")


class _Source(_Model):
    """How files of an upload or at a path are read."""

    layout: LayoutName | None = Field(
        None, description="The layout that the data must have. Null: the one that is recognised."
    )
    table: TableColumns | None = Field(None, description="Layout `table`: the columns to read.")


class ImageLists(_Model):
    """Uploads of list files, which say where images belong and what their labels are."""

    train: _UploadId | None = Field(None, description="Required, unless the long tail's indices are such a list.")
    val: _UploadId | None = None
    test: _UploadId | None = None

    def by_part(self) -> dict[str, str]:
        """The uploads that are given."""
        return {part: upload for part, upload in self if upload is not None}


class ImageSpec(_Source):
    """How the images of a source become squares of one size and of 8 bits a channel."""

    image_size: ImageSize | None = Field(None, description="None: all images are squares of one size already.")
    fit: Literal["crop", "squash", "pad"] = Field(
        "crop",
        description="How an image becomes a square of image_size. Its centre is cropped, it is squashed, or bars of "
        "the background's colour (default: black) pad it.",
    )
    background: str | None = Field(
        None,
        pattern=r"^#[0-9a-fA-F]{6}$",
        examples=["#ffffff"],
        description="Colour under transparent pixels. None: transparency is dropped, so that such pixels show the "
        "colour that the file stores for them, often black.",
    )
    bit_depth: Literal["refuse", "scale"] = Field(
        "refuse", description="Gray images of 16 bits. scale: the value_range is mapped to 0..255."
    )
    value_range: tuple[Bits16, Bits16] | None = Field(
        None,
        description="bit_depth `scale`: the values that become 0 and 255; others are clipped. None: the smallest and "
        "the largest value of all 16-bit images that are kept. Give a pool the range of its data set.",
    )
    on_damaged: Literal["refuse", "skip"] = Field(
        "refuse", description="Damaged image files. skip: up to 1 % are left out, and listed in `warnings`."
    )

    @model_validator(mode="after")
    def _settings_go_together(self) -> Self:
        if self.fit != "crop" and self.image_size is None:
            raise ValueError(f"fit '{self.fit}' needs an image_size to fit the images to")
        if self.value_range is not None and self.bit_depth != "scale":
            raise ValueError("value_range needs bit_depth 'scale'")
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            raise ValueError(f"the value_range must ascend, but is {list(self.value_range)}")
        return self

    @property
    def background_rgb(self) -> tuple[int, int, int] | None:
        """`background` as red, green and blue, 0..255."""
        if self.background is None:
            return None
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue


class DatasetSpec(ImageSpec):
    """How a labelled source becomes a data set."""

    labels: bool = Field(
        True,
        strict=True,
        description="false: images alone, in any arrangement, to pretrain on. All of them are the training part.",
    )
    lists: ImageLists | None = Field(
        None, description="Layout `lists`: lists of `PATH LABEL` lines, or CSV, if they are not among the images."
    )
    label_names: _LabelNames | None = Field(
        None,
        description="New names of classes: by the names found, or all in their order. Classes of one name become one.",
    )
    long_tail: LongTail | None = None
    test: Literal["auto", "none"] = Field(
        "auto",
        description="By default, the source's own test part or one that is cut from it. With `none`, test images of "
        "the source are left out, and no probe can be evaluated.",
    )
    test_fraction: float = Field(
        0.2, gt=0, lt=1, description="Share of each class to cut if the source has no test part."
    )
    seed: Seed = 0

    @field_validator("lists", "label_names", "long_tail", "test", "test_fraction")
    @classmethod
    def _by_class(cls, value: Any, info: ValidationInfo) -> Any:
        """Runs for given values alone."""
        if value is not None and info.data.get("labels") is False:
            raise ValueError("needs labels: leave it out, or register the images with labels")
        return value


class PoolSpec(ImageSpec):
    """How an unlabelled source becomes an OOD pool."""
