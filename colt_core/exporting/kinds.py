"""The kinds of exports: their settings and results. Imports no torch, as the API needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from colt_core.kinds import Registry
from colt_core.tagged import TaggedSettings

Split = Literal["train", "probe", "val", "test", "pool"]
FeatureFormat = Literal["npz", "parquet"]

exports: Registry[ExportSettings] = Registry("export")


class ExportResult(BaseModel):
    """What is in the file. Subclasses have a field `kind`, the name of the export."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_features: int


class ExportSettings(TaggedSettings):
    """Settings of an export of any registered kind.

    Attributes:
        result: the model of its result.
    """

    registry = exports
    result: ClassVar[type[ExportResult]]

    if TYPE_CHECKING:  # this class takes the settings of every kind

        def __init__(self, **values: Any) -> None: ...

    @property
    def ending(self) -> str:
        """Of the file's name, without a dot."""
        return self.kind


class Onnx(ExportResult):
    kind: Literal["onnx"] = "onnx"
    opset: int = Field(description="Read from the file.")
    image_size: int = Field(description="Height and width of the input, in pixels.")


@exports.register
class OnnxExportConfig(ExportSettings):
    """The backbone in float32, from pixels in 0..1 to features, for batches of any size."""

    kind = "onnx"
    title = "ONNX"
    implementation = "colt_core.exporting.onnx_file:write"
    result = Onnx


class Features(ExportResult):
    kind: Literal["features"] = "features"
    num_images: int


@exports.register
class FeaturesExportConfig(ExportSettings):
    """The backbone's features of all images of a part, in float32."""

    kind = "features"
    title = "Features"
    implementation = "colt_core.exporting.feature_file:write"
    result = Features

    split: Split = Field(
        "test",
        description="`train` is of the data set that the job trains on. `probe`, `val` and `test` are of the one that "
        "it is evaluated on. `pool` is its OOD pool.",
    )
    format: FeatureFormat = "npz"

    @property
    def ending(self) -> str:
        return self.format
