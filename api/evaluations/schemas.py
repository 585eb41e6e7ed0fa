"""Requests and responses of the evaluations calls."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from api.kinds.names import ProbeName
from api.kinds.requests import OfBackbone, OfCheckpoint, requests_for
from colt_core.data.warnings import DataWarning
from colt_core.probes.fitted import ProbeFit
from colt_core.probes.kinds import ProbeSettings, probes
from store.statuses import WorkStatus

if TYPE_CHECKING:

    class _Request(OfCheckpoint, ProbeSettings): ...

    class _BackboneRequest(OfBackbone, ProbeSettings): ...

else:
    _Request = requests_for(probes.values())
    _BackboneRequest = requests_for(probes.values(), OfBackbone)


class NewEvaluation(RootModel[_Request]):
    """Another probe of one of the job's checkpoints. The default kind is `linear`."""

    model_config = ConfigDict(json_schema_extra={"example": {"kind": "knn", "neighbors": 20}})

    @model_validator(mode="before")
    @classmethod
    def _of_the_default_kind(cls, values: Any) -> Any:
        return _with_kind(values)

    @property
    def checkpoint_id(self) -> str | None:
        return self.root.checkpoint_id

    @property
    def settings(self) -> ProbeSettings:
        return ProbeSettings.model_validate(self.root.model_dump(exclude={"checkpoint_id"}))


class NewBackboneEvaluation(RootModel[_BackboneRequest]):
    """A probe of a backbone on a data set. The default kind is `linear`."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"dataset_id": "5f0c1e5e0c5b4d0f8a8e1d2c3b4a5968", "kind": "linear"}}
    )

    @model_validator(mode="before")
    @classmethod
    def _of_the_default_kind(cls, values: Any) -> Any:
        return _with_kind(values)

    @property
    def dataset_id(self) -> str:
        return self.root.dataset_id

    @property
    def settings(self) -> ProbeSettings:
        return ProbeSettings.model_validate(self.root.model_dump(exclude={"dataset_id"}))


def _with_kind(values: Any) -> Any:
    return {"kind": ProbeSettings.default_kind, **values} if isinstance(values, dict) else values


class GroupAccuracy(BaseModel):
    many: float | None
    medium: float | None
    few: float | None


class EvaluationInfo(BaseModel):
    """An evaluation of a checkpoint on the data of its job, or of a backbone on a data set.

    Its results are null until the status is `succeeded`. Accuracies are in 0..1.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str | None
    checkpoint_id: str | None
    backbone_id: str | None
    dataset_id: str | None = Field(description="Of a backbone's evaluation. Null: those that the job evaluates on.")
    kind: ProbeName
    status: WorkStatus
    error: str | None
    epoch: int | None = Field(description="Finished epochs in the checkpoint.")
    accuracy: float | None = Field(description="Over all test images.")
    balanced_accuracy: float | None = Field(description="Mean of the per-class accuracies.")
    per_class_accuracy: list[float | None] | None = Field(description="By class; null without test images.")
    group_accuracy: GroupAccuracy | None
    group_std: float | None = Field(
        description="Population standard deviation of the three group accuracies. Null unless all three are known."
    )
    class_counts: list[int] | None = Field(description="Training images, by class.")
    test_counts: list[int] | None = Field(description="Test images, by class.")
    probe: ProbeFit | None = Field(description="What the probe was fitted on. Null in results of earlier versions.")
    warnings: list[DataWarning] | None = Field(
        description="Classes with too few images to trust their numbers, and leaks in the data. Null in results of "
        "earlier versions."
    )
    result: dict[str, Any] | None = Field(description="Other results than accuracies, where the probe has any.")
    config: dict[str, Any]
    created_at: dt.datetime
    finished_at: dt.datetime | None
