"""What the analyses calls take and answer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field

from colt_core.analyses.config import (
    AlignmentConfig,
    AnalysisConfig,
    AnalysisKind,
    ClusterMinorityConfig,
    ConnectivityConfig,
    FeatureMapConfig,
    MisclassificationConfig,
    TailShareConfig,
    UniformityConfig,
)
from colt_core.analyses.results import AnalysisResult


class _OfCheckpoint(BaseModel):
    checkpoint_id: str | None = Field(None, min_length=1, max_length=64, description="Default: the last.")


class NewUniformity(_OfCheckpoint, UniformityConfig):
    """How evenly the ID images spread over the feature space."""


class NewAlignment(_OfCheckpoint, AlignmentConfig):
    """How near two augmented views of an image come, by class."""


class NewTailShare(_OfCheckpoint, TailShareConfig):
    """Whether the images of highest tailness are those of the tail classes."""


class NewClusterMinority(_OfCheckpoint, ClusterMinorityConfig):
    """Whether clusters of high tailness are those that hold the tail classes."""


class NewMisclassification(_OfCheckpoint, MisclassificationConfig):
    """Which classes a probe mistakes for which."""


class NewConnectivity(_OfCheckpoint, ConnectivityConfig):
    """How many same-class pairs augmentation connects, without and with OOD images as bridges."""


class NewFeatureMap(_OfCheckpoint, FeatureMapConfig):
    """The feature space in two dimensions."""


NewAnalysis = Annotated[
    NewUniformity
    | NewAlignment
    | NewTailShare
    | NewClusterMinority
    | NewMisclassification
    | NewConnectivity
    | NewFeatureMap,
    Body(
        discriminator="kind",
        openapi_examples={
            "tail share": {"value": {"kind": "tail_share"}},
            "feature map": {"value": {"kind": "feature_map", "method": "pca", "num_samples": 500}},
        },
    ),
]


class AnalysisInfo(BaseModel):
    """An analysis of one checkpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    checkpoint_id: str
    kind: AnalysisKind
    status: Literal["queued", "running", "succeeded", "failed"]
    error: str | None
    epoch: int
    config: AnalysisConfig
    created_at: dt.datetime
    finished_at: dt.datetime | None


class AnalysisWithResult(AnalysisInfo):
    """An analysis and what it found."""

    result: AnalysisResult | None = Field(description="Null until it `succeeded`.")
