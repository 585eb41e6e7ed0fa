"""Responses of the rounds calls."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from store.models import MOST_CLASS_COUNTS


class ClusterInfo(BaseModel):
    """A k-means cluster of the ID images."""

    size: int = Field(description="Number of ID images in the cluster.")
    tailness: float | None = Field(description="Mean tailness of its images. Null for an empty cluster.")
    weight: float = Field(description="Softmax weight. The weights of a round sum to 1.")
    budget: int = Field(description="OOD images that the round may pick for this cluster.")
    class_counts: list[int] | None = Field(
        description="Number of its images, by class. Null if the data set has no labels, if clusters times classes "
        "exceed 100,000, or if they were not asked for."
    )

    @model_validator(mode="after")
    def _empty_has_no_mean(self) -> Self:
        if self.size == 0:  # earlier versions stored 0
            self.tailness = None
        return self


class RoundStop(BaseModel):
    """The pool has nothing similar left: picks are too far below the similarity of early ones.

    Similarities are cosines to the centres that the images were picked for.
    """

    model_config = ConfigDict(from_attributes=True)

    similarity: float = Field(description="Mean of the last picks, as many as there are clusters.")
    reference: float = Field(description="Mean of as many early picks, the twentieth such block.")
    share: float = Field(description="The setting `spread_stop`.")


class ClusterDetails(ClusterInfo):
    """A cluster, beside the whole of the training images."""

    few_share: float | None = Field(
        description="Share of its images that are of Few classes, 0..1. Null without class counts, and if it is empty."
    )
    lift: list[float | None] | None = Field(
        description="By class: its share in the cluster over its share in all training images. 1: as everywhere. Null "
        "for a class without images. The list is null where `few_share` is, and where a round has over 50,000 of them."
    )


class RoundInfo(BaseModel):
    """A sampling round."""

    model_config = ConfigDict(from_attributes=True)

    round: int
    epoch: int = Field(description="The epoch that began with this round.")
    step: int
    clusters: list[ClusterInfo]
    num_selected: int = Field(description="Images that it picked.")
    budget: int = Field(description="K: images that it could pick. The clusters' budgets sum to it.")
    picked_from: Literal["pool", "train"] = Field(
        description="Where the picks are from. train: training images, repeated; no OOD image is then scored."
    )
    stop: RoundStop | None = Field(description="Why it picked less than `budget`. Null if it did not.")
    overlap: float | None = Field(description="Share of the picked images that the previous round had picked too.")
    num_embedded: int | None = Field(
        description="Pool images that the encoder embedded for it. Null in rounds of older versions."
    )
    seconds: float

    @model_validator(mode="after")
    def _without_very_many_counts(self) -> Self:
        if sum(len(cluster.class_counts or ()) for cluster in self.clusters) > MOST_CLASS_COUNTS:
            for cluster in self.clusters:  # of an earlier version
                cluster.class_counts = None
        return self


class RoundDetails(RoundInfo):
    """A sampling round, with what only its own address shows."""

    clusters: list[ClusterDetails]  # type: ignore[assignment]
    few_share: float | None = Field(description="Share of all training images that are of Few classes, to compare.")
