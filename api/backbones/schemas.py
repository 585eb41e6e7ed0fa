"""Requests and responses of `/backbones`."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.registration import Name, RegistrationProblem
from colt_core.architectures import Stem
from colt_core.backbones.spec import BackboneSpec, WeightsSource
from colt_core.config import Backbone
from colt_core.pixels import Channels
from store.models import BackboneWeights
from store.statuses import RegistrationStatus


class NewBackbone(BackboneSpec):
    """A backbone to register."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "ImageNet, torchvision",
                "source": {"kind": "upload", "upload_id": "9c1d8e5f4a3b42c7a6d5e4f3021b2c3d"},
                "backbone": "resnet18",
            }
        }
    )

    name: Name


class BackboneInfo(BaseModel):
    """A registered backbone."""

    id: str
    name: str
    status: RegistrationStatus
    problem: RegistrationProblem | None
    source: WeightsSource
    backbone: Backbone
    width: int = Field(description="Channels of the first stage.")
    stem: Stem
    mean: Channels = Field(description="Of the pixels that it knows, in units of 0..1.")
    std: Channels
    matched_share: float | None = Field(
        ge=0, le=1, description="Of its weights, how many the file has. Null: not read yet, or not from a file."
    )
    created_at: dt.datetime

    @classmethod
    def of(cls, row: BackboneWeights) -> Self:
        own = {name: getattr(row, name) for name in ("id", "name", "status", "problem", "matched_share", "created_at")}
        return cls.model_validate(row.spec | own)


class KeyNames(BaseModel):
    """How the names of a file fitted."""

    prefix: str = Field(description="What was in front of its names and was taken off.")
    matched: list[str] = Field(description="torchvision's names of the weights that it has, in the right shape.")
    missing: list[str] = Field(description="Those that it lacks. They have random values.")
    unexpected: list[str] = Field(description="Its names that nothing reads: the first of them, shortened.")
    num_unexpected: int


class BackboneDetails(BackboneInfo):
    """A backbone, with what only its own address shows."""

    names: KeyNames | None = Field(description="Also of a file that was refused. Null: not read, or not from a file.")

    @classmethod
    def of(cls, row: BackboneWeights) -> Self:
        return cls.model_validate(BackboneInfo.of(row).model_dump() | {"names": row.names})
