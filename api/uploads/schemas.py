"""Response of an upload."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field


class UploadInfo(BaseModel):
    """An uploaded file that a data set or OOD pool can be registered from."""

    id: str
    filename: str
    bytes: int
    sha256: str
    created_at: dt.datetime
    used_at: dt.datetime | None = Field(description="When a registration last named it. Null: never.")
    in_use: bool = Field(description="Whether a registration or a score is to read it. Then it is not removed.")
    expires_at: dt.datetime = Field(description="When it is removed, unless a registration names it before.")
