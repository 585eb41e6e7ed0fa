"""Requests and responses of the exports calls."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from api.kinds.names import ExportName
from api.kinds.requests import OfCheckpoint, requests_for
from colt_core.exporting.kinds import ExportResult, ExportSettings, exports
from colt_core.tagged import one_of
from store.statuses import WorkStatus

if TYPE_CHECKING:

    class _Request(OfCheckpoint, ExportSettings): ...

    _Result = ExportResult
else:
    _Request = requests_for(exports.values())
    _Result = one_of(kind.result for kind in exports.values())


class NewExport(RootModel[_Request]):
    """A file to make of one of the job's checkpoints."""

    @property
    def checkpoint_id(self) -> str | None:
        return self.root.checkpoint_id

    @property
    def settings(self) -> ExportSettings:
        return ExportSettings.model_validate(self.root.model_dump(exclude={"checkpoint_id"}))


class ExportInfo(BaseModel):
    """A file made of one checkpoint."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    job_id: str
    checkpoint_id: str
    kind: ExportName
    status: WorkStatus
    error: str | None
    epoch: int = Field(description="Of the checkpoint.")
    config: ExportSettings
    created_at: dt.datetime
    finished_at: dt.datetime | None
    bytes: int | None = Field(description="Null until the status is `succeeded`.")
    sha256: str | None = Field(description="Of the file. Null until the status is `succeeded`.")
    result: _Result | None = Field(description="What is in the file. Null until the status is `succeeded`.")

    @field_validator("config", mode="before")
    @classmethod
    def _as_stored(cls, config: Any) -> ExportSettings:
        return ExportSettings.from_stored(config)
