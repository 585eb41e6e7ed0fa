"""Requests and responses of pool checks."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from colt_core.pools.kinds import PoolCheckResult
from colt_core.samplers.kinds import SampleBudget
from store.statuses import WorkStatus


class NewPoolCheck(BaseModel):
    """A comparison of the pool with a data set, to queue."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"dataset_id": "4f1c0d7a", "checkpoint_id": "b2a94e01", "budget": 1000}},
    )

    dataset_id: str = Field(min_length=1, max_length=64, description="A data set with labels.")
    checkpoint_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Whose encoder to compare with. One that was trained on this data set also gives its tailness.",
    )
    backbone_id: str | None = Field(
        None, min_length=1, max_length=64, description="A registered backbone to compare with, in place of it."
    )
    budget: SampleBudget = Field(description="K: images that a sampling round would pick from the pool.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.checkpoint_id is None) == (self.backbone_id is None):
            raise ValueError("name either a checkpoint_id or a backbone_id, whose encoder to compare with")
        return self


class PoolCheckInfo(BaseModel):
    """A check of a pool."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    ood_pool_id: str
    dataset_id: str
    job_id: str | None = Field(description="Of the checkpoint.")
    checkpoint_id: str | None = Field(description="Null for a check with a backbone.")
    epoch: int | None = Field(description="Of the checkpoint.")
    backbone_id: str | None = Field(description="Null for a check with a checkpoint.")
    budget: int
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


class PoolCheckWithResult(PoolCheckInfo):
    """A check of a pool, with its result."""

    result: PoolCheckResult | None = Field(description="Null until the status is `succeeded`.")
