"""Requests and responses of `/ood-pools`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.registration import AcceptCost, Name, RegistrationProblem
from colt_core.data.spec import PoolSource, PoolSpec
from colt_core.data.warnings import DataWarning
from store.statuses import RegistrationStatus


class NewOodPool(PoolSpec):
    """Unlabelled out-of-distribution (OOD) images to register."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "glyphs",
                "source": {"kind": "sample", "name": "glyphs-and-patches"},
                "image_size": 32,
            }
        }
    )

    name: Name
    source: PoolSource
    accept_cost: AcceptCost = False


class OodPoolInfo(BaseModel):
    """An OOD pool. Until it is `ready`, values that are not known yet are null."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    status: RegistrationStatus
    progress: float = Field(ge=0, le=1)
    problem: RegistrationProblem | None
    num_samples: int | None
    image_size: int | None
    layout: str | None = Field(description="How the source was arranged. Null: not from files, or not known.")
    warnings: list[DataWarning] | None = Field(
        description="What the registration found. Null: not ready, or registered by an earlier version."
    )
    value_range: list[int] | None = Field(
        description="The values of 16-bit images that became 0 and 255. Null: there are none, or not known."
    )
    spec: dict[str, Any] = Field(description="The request, without the name.")
    created_at: dt.datetime
