"""What each analysis found: plain numbers, ready for a plot. Lists of one result that belong together have one length.

Embeddings are the projection head's outputs, L2-normalised: the space of tailness and of sampling rounds.
This module imports no torch, so that the API can describe its answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Uniformity(_Result):
    kind: Literal["uniformity"] = "uniformity"
    uniformity: float = Field(description="Over all pairs: 0 for one point, near -4 when spread over a sphere.")
    by_class: list[float | None] = Field(description="Over the pairs within each class; null below two images.")
    num_samples: int


class Alignment(_Result):
    kind: Literal["alignment"] = "alignment"
    alignment: float = Field(description="Mean over the classes that have images; 0 is perfect, 4 the worst.")
    by_class: list[float | None]
    group: dict[str, float | None] = Field(description="Mean over the classes of many, medium and few.")


class TailShare(_Result):
    kind: Literal["tail_share"] = "tail_share"
    gamma: list[float] = Field(description="Percent.")
    phi_tail: list[float | None] = Field(description="Null where there is no Few class; 1 is what chance gives.")
    phi_head: list[float | None] = Field(description="Null where there is no Many class; 1 is what chance gives.")


class ClusterMinority(_Result):
    kind: Literal["cluster_minority"] = "cluster_minority"
    size: list[int]
    minority_share: list[float] = Field(description="Share of a cluster's images of the Few classes, 0..1.")
    tailness: list[float] = Field(description="Mean over the cluster's images.")
    slope: float | None = Field(
        description="Of tailness over minority share, least squares; null where no share differs."
    )
    intercept: float | None
    r: float | None = Field(description="Pearson's; null where shares or tailness do not vary.")


class Misclassification(_Result):
    kind: Literal["misclassification"] = "misclassification"
    counts: list[list[int]] = Field(description="C x C: test images by true and predicted class.")
    normalized: list[list[float | None]] = Field(
        description="C x C: wrong predictions over what balanced confusion gives; null on the diagonal."
    )
    order: list[int] = Field(description="Classes by training images, the head first.")


class ConnectivityOf(_Result):
    """One group of classes; null where it holds no pair."""

    without_ood: list[float | None]
    with_ood: list[float | None]
    num_pairs: int


class Connectivity(_Result):
    kind: Literal["connectivity"] = "connectivity"
    thresholds: list[float]
    majority: ConnectivityOf = Field(description="Pairs within the Many classes.")
    minority: ConnectivityOf = Field(description="Pairs within the Few classes.")
    num_ood: int = Field(description="OOD images that could bridge; 0 where the run has picked none.")


class FeatureMap(_Result):
    kind: Literal["feature_map"] = "feature_map"
    index: list[int] = Field(description="ID images first, by place in the training part; then OOD, in the pool.")
    x: list[float]
    y: list[float]
    label: list[int] = Field(description="Class of an ID image; -1 for an OOD image.")
    tailness: list[float | None] = Field(description="Of an ID image; null for an OOD image.")


AnalysisResult = Annotated[
    Uniformity | Alignment | TailShare | ClusterMinority | Misclassification | Connectivity | FeatureMap,
    Field(discriminator="kind"),
]
analysis_result: TypeAdapter[AnalysisResult] = TypeAdapter(AnalysisResult)
