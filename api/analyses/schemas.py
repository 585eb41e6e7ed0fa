"""Requests and responses of the analyses calls."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from api.kinds.names import AnalysisName
from api.kinds.requests import OfCheckpoint, requests_for
from colt_core.analyses.kinds import AnalysisResult, AnalysisSettings, analyses
from colt_core.tagged import one_of
from store.statuses import WorkStatus

if TYPE_CHECKING:

    class _Request(OfCheckpoint, AnalysisSettings): ...

    _Result = AnalysisResult
else:
    _Request = requests_for(analyses.values())
    _Result = one_of(kind.result for kind in analyses.values())


class NewAnalysis(RootModel[_Request]):
    """An analysis of one of the job's checkpoints, to queue."""

    @property
    def checkpoint_id(self) -> str | None:
        return self.root.checkpoint_id

    @property
    def settings(self) -> AnalysisSettings:
        return AnalysisSettings.model_validate(self.root.model_dump(exclude={"checkpoint_id"}))


class AnalysisInfo(BaseModel):
    """An analysis of one checkpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    checkpoint_id: str
    kind: AnalysisName
    status: WorkStatus
    error: str | None
    epoch: int
    config: AnalysisSettings
    created_at: dt.datetime
    finished_at: dt.datetime | None

    @field_validator("config", mode="before")
    @classmethod
    def _as_stored(cls, config: Any) -> AnalysisSettings:
        return AnalysisSettings.from_stored(config)


class AnalysisWithResult(AnalysisInfo):
    """An analysis with its result."""

    result: _Result | None = Field(description="Null until the status is `succeeded`.")
