"""Responses of the tailness calls. A larger tailness means that a sample is nearer to the tail."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.http.pages import Page

IdOrder = Literal["-tailness", "tailness", "-index", "index", "-label", "label"]
OodOrder = Literal["-tailness", "tailness", "-similarity", "similarity", "-index", "index", "-cluster", "cluster"]
Change = Literal["entered", "stayed", "left"]


class IdSample(BaseModel):
    """An image of the training part."""

    index: int
    label: int | None = Field(
        description="Shown for analysis only; training uses no labels. Null if the data set has none."
    )
    class_name: str | None
    tailness: float


class IdSamplePage(Page[IdSample]):
    epoch: int | None = Field(description="The epoch after which this was measured. Null before the first.")
    round: int | None = Field(description="The round of the requested cluster. Null without `cluster`.")


class IdHistory(BaseModel):
    epoch: list[int] = Field(description="Of more than 1000 recorded epochs: evenly spaced ones, and the last.")
    tailness: list[float]


class IdSampleDetail(BaseModel):
    index: int
    label: int | None = Field(description="Null if the data set has no labels.")
    class_name: str | None
    tailness: float | None = Field(description="The latest value. Null before the first epoch has ended.")
    history: IdHistory


class ClassTailness(BaseModel):
    label: int
    class_name: str
    count: int = Field(description="Images of the training part.")
    mean_tailness: float | None = Field(description="Mean tailness after the last of `epochs`.")
    history: list[float | None] = Field(description="Mean tailness after each of `epochs`.")


class SizeFit(BaseModel):
    """How the mean tailness of a class goes with its size: r is below 0 if rare classes are
    tail-like."""

    classes: int = Field(description="Classes with images and a mean tailness. Each counts the same.")
    r: float | None = Field(
        description="Pearson's r of log10(count) and mean tailness. Null below 3 classes, or if either is constant."
    )
    interval: list[float] | None = Field(
        description="95 % interval of r by Fisher's z. Null below 4 classes, or if all classes lie on one line."
    )
    slope: float | None = Field(description="Of the least-squares line: tailness by log10(count). Null where r is.")
    intercept: float | None


class ClassTailnessList(Page[ClassTailness]):
    epochs: list[int] = Field(description="Of more than 1000 recorded epochs: evenly spaced ones, and the last.")
    fit: SizeFit = Field(description="Over all classes, after the last of `epochs`.")


class NearestSample(BaseModel):
    """An image of the training part, near an OOD image."""

    index: int
    label: int | None = Field(description="Null if the data set has no labels.")
    class_name: str | None
    similarity: float = Field(description="Cosine of both embeddings in the round, to three digits.")
    tailness: float | None = Field(description="What the round weighed it by. Null if it was not recorded.")


class NearestSamples(BaseModel):
    """The training images nearest to an OOD image when a round picked it."""

    index: int = Field(description="Of the OOD image.")
    round: int
    epoch: int = Field(description="The epoch that began with this round.")
    items: list[NearestSample] = Field(description="Nearest first.")


class _ScoredOodSample(BaseModel):
    index: int
    tailness: float = Field(description="Similarity-weighted mean tailness of its nearest ID samples.")
    cluster: int = Field(description="Nearest ID cluster in that round.")
    similarity: float = Field(description="Cosine similarity to the centre of that cluster.")
    selected: bool = Field(description="Whether that round picked the image.")
    selected_rounds: list[int] = Field(description="The rounds that picked the image.")


class OodSample(_ScoredOodSample):
    """An image of the OOD pool, with its scores from one sampling round."""

    alike_to: int | None = Field(
        None, description="With `alike`: the earlier image of the page that it nearly equals on pixels, such as a copy."
    )


class OodSamplePage(Page[OodSample]):
    round: int | None = Field(description="The round shown. Null before the first.")
    epoch: int | None
    total: int = Field(description="Number of samples that pass the filters.")


class OodHistogram(BaseModel):
    """How many images of the pool have which tailness in a round."""

    round: int | None = Field(description="Null before the first.")
    edges: list[float] = Field(description="Ends of the B bins of one width: B + 1 of them. Empty without an image.")
    all: list[int] = Field(description="Images in each bin. The last bin has its upper end too.")
    picked: list[int] = Field(description="Images in each bin that the round picked.")


class Standing(BaseModel):
    """The ranks of an image among the others of its pool in a round."""

    percentile: float = Field(description="Share of the pool's images with a smaller tailness, 0..1.")
    cluster_rank: int = Field(
        description="1 for the image most similar to the centre of its cluster, among the pool's images of the cluster."
    )
    cluster_size: int = Field(description="The pool's images of its cluster.")
    budget: int = Field(description="OOD images that the round could pick for the cluster.")


class OodSampleRound(BaseModel):
    round: int
    epoch: int
    tailness: float
    cluster: int
    similarity: float
    selected: bool


class OodSampleDetail(_ScoredOodSample):
    """An image of the OOD pool, with its scores from the last round, or from the one asked for, and
    from every round."""

    round: int
    standing: Standing = Field(description="In the last round, or in the one asked for.")
    rounds: list[OodSampleRound] = Field(description="Of more than 1000 rounds: the last 1000.")
