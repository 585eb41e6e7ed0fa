"""Responses of the rounds calls."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from store.models import MOST_CLASS_COUNTS


class ClusterInfo(BaseModel):
    """A k-means cluster of the ID images."""

    size: int = Field(description="Number of ID images in the cluster.")
    tailness: float | None = Field(description="Mean tailness of its images. Null for an empty cluster.")
    weight: float = Field(description="Softmax weight. The weights of a round sum to 1.")
    budget: int = Field(description="OOD images that the round may pick for this cluster.")
    class_counts: list[int] | None = Field(
        description="Number of its images, by class. Null if the data set has no labels, or if clusters times classes "
        "exceed 100,000."
    )

    @model_validator(mode="after")
    def _empty_has_no_mean(self) -> Self:
        if self.size == 0:  # earlier versions stored 0
            self.tailness = None
        return self


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
    num_selected: int
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
