"""What the rounds calls answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ClusterInfo(BaseModel):
    """A k-means cluster of the ID images."""

    size: int = Field(description="ID members.")
    tailness: float = Field(description="Mean over its members.")
    weight: float = Field(description="Softmax weight; a round's weights sum to 1.")
    budget: int = Field(description="OOD images granted.")
    class_counts: list[int] = Field(description="Its members by class.")


class RoundInfo(BaseModel):
    """A sampling round."""

    model_config = ConfigDict(from_attributes=True)

    round: int
    epoch: int = Field(description="The epoch that it opened.")
    step: int
    clusters: list[ClusterInfo]
    num_selected: int
    overlap: float | None = Field(description="Share of the picks that the round before had picked too.")
    num_embedded: int | None = Field(
        description="Pool images that went through the encoder for it. Null in rounds of older versions."
    )
    seconds: float
