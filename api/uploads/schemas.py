"""Response of an upload."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict


class UploadInfo(BaseModel):
    """An uploaded file that a data set or OOD pool can be registered from."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    filename: str
    bytes: int
    sha256: str
    created_at: dt.datetime
