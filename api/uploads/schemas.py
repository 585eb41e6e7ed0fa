"""What an upload answers."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict


class UploadInfo(BaseModel):
    """A file that waits to be registered as a data set or pool."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    filename: str
    bytes: int
    sha256: str
    created_at: dt.datetime
