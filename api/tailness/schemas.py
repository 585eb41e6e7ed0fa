"""What the tailness calls answer. Tailness is larger for samples nearer the tail."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.http.pages import Page

IdOrder = Literal["-tailness", "tailness", "-index", "index", "-label", "label"]
OodOrder = Literal["-tailness", "tailness", "-similarity", "similarity", "-index", "index", "-cluster", "cluster"]


class IdSample(BaseModel):
    """An image of the training part."""

    index: int
    label: int = Field(description="Shown for the analysis; the run itself uses no label.")
    class_name: str
    tailness: float


class IdSamplePage(Page[IdSample]):
    epoch: int | None = Field(description="The epoch after which this was measured; null before the first.")
    round: int | None = Field(description="The round of the cluster that was asked for; null without `cluster`.")


class IdHistory(BaseModel):
    epoch: list[int]
    tailness: list[float]


class IdSampleDetail(BaseModel):
    index: int
    label: int
    class_name: str
    tailness: float | None = Field(description="The latest; null before the first epoch is over.")
    history: IdHistory


class ClassTailness(BaseModel):
    label: int
    class_name: str
    count: int = Field(description="Images of the training part.")
    mean_tailness: float | None = Field(description="Mean after the last of `epochs`.")
    history: list[float | None] = Field(description="Mean after each of `epochs`.")


class ClassTailnessList(BaseModel):
    epochs: list[int]
    items: list[ClassTailness]


class OodSample(BaseModel):
    """An image of the OOD pool, as one sampling round saw it."""

    index: int
    tailness: float = Field(description="Similarity-weighted mean tailness of its nearest ID samples.")
    cluster: int = Field(description="Nearest ID cluster of that round.")
    similarity: float = Field(description="Cosine to that cluster's centre.")
    selected: bool = Field(description="Whether that round picked it.")
    selected_rounds: list[int] = Field(description="All rounds that picked it.")


class OodSamplePage(Page[OodSample]):
    round: int | None = Field(description="The round shown; null before the first.")
    epoch: int | None
    total: int = Field(description="Samples that pass the filters.")


class OodSampleRound(BaseModel):
    round: int
    epoch: int
    tailness: float
    cluster: int
    similarity: float
    selected: bool


class OodSampleDetail(OodSample):
    """As the last round saw it, and every round."""

    round: int
    rounds: list[OodSampleRound]
