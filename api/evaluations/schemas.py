"""What the evaluations calls take and answer."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from colt_core.probes.config import EvaluationConfig, ProbeKind


class NewEvaluation(EvaluationConfig):
    """Another probe of one of the job's checkpoints."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "knn", "neighbors": 20}})

    checkpoint_id: str | None = Field(None, min_length=1, max_length=64, description="Default: the last.")


class GroupAccuracy(BaseModel):
    many: float | None
    medium: float | None
    few: float | None


class EvaluationInfo(BaseModel):
    """A probe; what it found is null until it `succeeded`. Accuracies are in 0..1."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    checkpoint_id: str
    kind: ProbeKind
    status: Literal["queued", "running", "succeeded", "failed"]
    error: str | None
    epoch: int
    accuracy: float | None = Field(description="Over all test images.")
    balanced_accuracy: float | None = Field(description="Mean of the per-class accuracies.")
    per_class_accuracy: list[float | None] | None
    group_accuracy: GroupAccuracy | None
    group_std: float | None = Field(description="Population standard deviation of the three group accuracies.")
    class_counts: list[int] | None = Field(description="Training images, by class.")
    test_counts: list[int] | None = Field(description="Test images, by class.")
    config: dict[str, Any]
    created_at: dt.datetime
    finished_at: dt.datetime | None
