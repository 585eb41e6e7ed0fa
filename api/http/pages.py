"""Paged lists: `?limit=` and `?cursor=` in the request, `items` and `next_cursor` in the
response."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items on a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=500, description="`next_cursor` of the previous page. Leave it out for the first page."),
]
DEFAULT_LIMIT = 50


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Cursor of the next page. Null on the last page.")
