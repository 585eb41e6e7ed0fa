"""Requests and responses of pool checks."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

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
    checkpoint_id: str = Field(
        min_length=1,
        max_length=64,
        description="Whose encoder to compare with. One that was trained on this data set also gives its tailness.",
    )
    budget: SampleBudget = Field(description="K: images that a sampling round would pick from the pool.")


class PoolCheckInfo(BaseModel):
    """A check of a pool."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    ood_pool_id: str
    dataset_id: str
    job_id: str
    checkpoint_id: str
    epoch: int = Field(description="Of the checkpoint.")
    budget: int
    status: WorkStatus
    error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


class PoolCheckWithResult(PoolCheckInfo):
    """A check of a pool, with its result."""

    result: PoolCheckResult | None = Field(description="Null until the status is `succeeded`.")
