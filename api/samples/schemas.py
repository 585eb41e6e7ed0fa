"""Images in lists."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Split = Literal["train", "probe", "val", "test"]


class DatasetSample(BaseModel):
    index: int = Field(description="Position in the whole data set. The training part comes first.")
    label: int | None = Field(description="Null if the data set has no labels.")
    class_name: str | None
    split: Split


class PoolSample(BaseModel):
    index: int
