"""Requests and responses of `/resumable-uploads`."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field


class NewResumableUpload(BaseModel):
    """A file that is to arrive in one or more requests."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"filename": "images.zip", "bytes": 5_368_709_120}}
    )

    filename: str = Field(description="Its ending says what the file is.")
    bytes: int = Field(ge=1, lt=2**63, strict=True, description="Of the whole file.")
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Of the whole file. If it arrives with another, it is not kept."
    )


class ResumableUploadInfo(BaseModel):
    """How much of a file has arrived."""

    id: str = Field(description="Once it is complete, also that of the upload.")
    filename: str
    bytes: int = Field(description="Of the whole file.")
    offset: int = Field(description="Bytes that have arrived. The next request begins there.")
    complete: bool = Field(description="Whether `/uploads/{id}` has it, so that it can be registered.")
    expires_at: dt.datetime = Field(description="When it is removed, unless more arrives or it is used before.")
