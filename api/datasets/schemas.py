"""Requests and responses of `/datasets`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.registration import AcceptCost, Name, RegistrationProblem
from colt_core.data.spec import DatasetSource, DatasetSpec
from colt_core.data.warnings import DataWarning
from store.statuses import RegistrationStatus


class NewDataset(DatasetSpec):
    """An image data set to register, and how to cut it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "digits-lt",
                "source": {"kind": "sample", "name": "digits"},
                "image_size": 32,
                "long_tail": {"profile": "exp", "imbalance_ratio": 20, "seed": 1},
            }
        }
    )

    name: Name
    source: DatasetSource
    accept_cost: AcceptCost = False


class SplitSizes(BaseModel):
    """Images per part. Where a class has few images, its probe images may also be training
    images."""

    train: int = 0
    probe: int = 0
    val: int = 0
    test: int = 0


class Groups(BaseModel):
    """Class indices, grouped by the number of training images."""

    many: list[int]
    medium: list[int]
    few: list[int]


class DatasetInfo(BaseModel):
    """A data set. Until it is `ready`, values that are not known yet are null."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    status: RegistrationStatus
    progress: float = Field(ge=0, le=1)
    problem: RegistrationProblem | None
    labels: bool = Field(description="Whether the images have labels. If not, all that is about classes is null.")
    can_evaluate: bool = Field(
        description="Whether jobs can be evaluated on it: it is ready, with labels and a test part."
    )
    num_samples: int | None = Field(description="Images of all parts.")
    num_classes: int | None
    class_names: list[str] | None
    class_counts: list[int] | None = Field(description="Images of the training part, by class.")
    probe_counts: list[int] | None = Field(description="Images of the probe part, by class.")
    split_sizes: SplitSizes | None
    groups: Groups | None
    image_size: int | None
    layout: str | None = Field(description="How the source was arranged. Null: not from files, or not known.")
    warnings: list[DataWarning] | None = Field(
        description="What the registration found. Null: not ready, or registered by an earlier version."
    )
    value_range: list[int] | None = Field(
        description="The values of 16-bit images that became 0 and 255. Null: there are none, or not known."
    )
    spec: dict[str, Any] = Field(
        description="The request, without the name. Of indices that it held itself, `{count, sha256}` of the file that "
        "`/datasets/{dataset_id}/indices` answers."
    )
    created_at: dt.datetime
