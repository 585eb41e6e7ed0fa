"""Requests and responses of the analyses calls."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator, model_validator

from api.kinds.names import AnalysisName
from api.kinds.requests import OfBackbone, OfCheckpoint, requests_for
from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings, analyses
from colt_core.refusals import problem
from colt_core.tagged import one_of
from store.statuses import WorkStatus

_OF_BACKBONES = {kind: settings for kind, settings in analyses.items() if settings.of_backbones}

if TYPE_CHECKING:

    class _Request(OfCheckpoint, AnalysisSettings): ...

    class _BackboneRequest(OfBackbone, AnalysisSettings): ...

    _Result = AnalysisResult
else:
    _Request = requests_for(analyses.values())
    _BackboneRequest = requests_for(_OF_BACKBONES.values(), OfBackbone)
    _Result = one_of(kind.result for kind in analyses.values())


class NewAnalysis(RootModel[_Request]):
    """An analysis of one of the job's checkpoints, to queue."""

    @property
    def checkpoint_id(self) -> str | None:
        return self.root.checkpoint_id

    @property
    def settings(self) -> AnalysisSettings:
        return AnalysisSettings.model_validate(self.root.model_dump(exclude={"checkpoint_id"}))


class NewBackboneAnalysis(RootModel[_BackboneRequest]):
    """An analysis of a backbone on a data set, to queue."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"dataset_id": "5f0c1e5e0c5b4d0f8a8e1d2c3b4a5968", "kind": "uniformity"}}
    )

    @model_validator(mode="before")
    @classmethod
    def _needs_no_run(cls, values: Any) -> Any:
        kind = values.get("kind") if isinstance(values, dict) else None
        if isinstance(kind, str) and kind in analyses and kind not in _OF_BACKBONES:
            why = f"'{kind}' reads what only a run has, such as tailness. Of a backbone there are"
            told = problem("kind", f"{why} {', '.join(_OF_BACKBONES)}", kind)
            raise ValidationError.from_exception_data(cls.__name__, [told])
        return values

    @property
    def dataset_id(self) -> str:
        return self.root.dataset_id

    @property
    def settings(self) -> AnalysisSettings:
        return AnalysisSettings.model_validate(self.root.model_dump(exclude={"dataset_id"}))


class AnalysisInfo(BaseModel):
    """An analysis of a checkpoint with the data of its job, or of a backbone with a data set.

    Embeddings of a checkpoint are outputs of its projection head, those of a backbone its features.
    Both are L2-normalised. Numbers of the two do not compare.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str | None
    checkpoint_id: str | None
    backbone_id: str | None
    dataset_id: str | None = Field(description="Of a backbone's analysis. Null: that of the job.")
    kind: AnalysisName
    status: WorkStatus
    error: str | None
    epoch: int | None = Field(description="Finished epochs in the checkpoint.")
    config: AnalysisSettings
    assumed: dict[str, Any] | None = Field(
        description="Settings of a run that it reads, which a backbone has not: the defaults of a job. "
        "`group_thresholds` null: thirds by rank. Null as a whole: those of the job."
    )
    created_at: dt.datetime
    finished_at: dt.datetime | None

    @field_validator("config", mode="before")
    @classmethod
    def _as_stored(cls, config: Any) -> AnalysisSettings:
        return AnalysisSettings.from_stored(config)


class AnalysisWithResult(AnalysisInfo):
    """An analysis with its result."""

    result: _Result | None = Field(description="Null until the status is `succeeded`.")
