"""Requests and responses of scores."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from colt_core.samplers.kinds import MOST_NEAREST
from store.statuses import WorkStatus


class ImagesToScore(BaseModel):
    """Images that were uploaded, to be scored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"upload_id": "9d2f61c0"}})

    upload_id: str = Field(
        min_length=1,
        max_length=64,
        description="An upload of images, in everything that a pool can come in: an archive of images, npz or npy.",
    )
    keep_upload: bool = Field(
        False,
        strict=True,
        description="By default the upload is deleted at the end, unless a registration has named it.",
    )
    nearest: int = Field(3, ge=0, le=MOST_NEAREST, description="How many of the nearest training images to tell.")


class NearSample(BaseModel):
    """An image of the training part, near a scored image."""

    index: int
    label: int | None = Field(description="Null if the data set has no labels.")
    similarity: float = Field(description="Cosine of both embeddings.")
    tailness: float


class ImageScore(BaseModel):
    """The score of an image."""

    index: int = Field(description="Its place: of files by name, else in the array.")
    name: str = Field(description="Of the file in the archive, or such as `images[3]`. At most 400 characters.")
    tailness: float = Field(description="Similarity-weighted mean tailness of its nearest ID samples.")
    cluster: int | None = Field(None, description="Nearest ID cluster. Null in scores of earlier versions.")
    similarity: float | None = Field(None, description="Cosine similarity to the centre of that cluster.")
    nearest: list[NearSample] = Field([], description="The nearest training images, nearest first.")


class RefusedImage(BaseModel):
    """An image that could not be scored."""

    index: int
    name: str
    detail: str = Field(description="Why, and what to change.")


class ScoreInfo(BaseModel):
    """Scores of unseen images, by a checkpoint of a job."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    checkpoint_id: str
    epoch: int = Field(description="Of the checkpoint.")
    round: int | None = Field(
        description="The sampling round whose scores are comparable: it had the same weights. Null: none had."
    )
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    scores: list[ImageScore] | None = Field(description="Null until the status is `succeeded`.")
    refused: list[RefusedImage] | None = Field(description="Null until the status is `succeeded`.")
