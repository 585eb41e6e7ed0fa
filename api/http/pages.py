"""Paged lists: `?limit=` and `?cursor=` in the request, `items` and `next_cursor` in the
response."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Generic, Self, TypeVar, get_args

from fastapi import Query
from pydantic import BaseModel, Field
from pydantic_core import to_json

from store.repositories.pages import Slice

T = TypeVar("T", bound=BaseModel)
R = TypeVar("R")

MOST_BYTES = 2 * 2**20  # of a page, as JSON
_AROUND_ITEMS = 2000  # bytes: the rest of a page, with its cursor
_SHORT = 10_000  # bytes of a value that is shown in any case

Limit = Annotated[
    int,
    Query(ge=1, le=1000, description="Most items on a page. It has fewer where they would exceed 2 MiB."),
]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="`next_cursor` of the previous page. Leave it out for the first page."),
]
DEFAULT_LIMIT = 50


class Page(BaseModel, Generic[T]):
    """One page of a list.

    What an item has too much of for a page is null. The address of the item itself answers it.
    """

    items: list[T]
    next_cursor: str | None = Field(description="Cursor of the next page. Null on the last page.")

    @classmethod
    def of(cls, found: Slice[R], show: Callable[[R], T], **more: Any) -> Self:
        """As many of the rows as fit into MOST_BYTES.

        Args:
            found: the rows.
            show: makes an item of a row.
            more: values of the page beside the items.
        """
        items, following = fitting(found, show)
        return cls(items=items, next_cursor=following, **more)


def fitting(found: Slice[R], show: Callable[[R], T]) -> tuple[list[T], str | None]:
    """The items that fit into a page, and the cursor for the rest."""
    items: list[T] = []
    left = MOST_BYTES - _AROUND_ITEMS

    def fits(row: R) -> bool:
        nonlocal left
        item = show(row)
        size = len(to_json(item)) + 1
        if size > left and items:
            return False
        if size > left:
            item = shortened(item, left)
        items.append(item)
        left -= size
        return True

    following = found.take(fits)
    return items, following


def shortened(item: T, most_bytes: int) -> T:
    """An item of at most so many bytes of JSON.

    Its largest values that may be null are null. In those that may hold anything, a long list
    becomes its number of entries and its digest.
    """
    sizes = {name: len(to_json(value)) for name, value in item}
    excess = sum(sizes.values()) + sum(len(name) + 4 for name in sizes) - most_bytes
    shorter: dict[str, Any] = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if excess <= 0:
            break
        if type(None) in get_args(type(item).model_fields[name].annotation):
            shorter[name] = None
        elif isinstance(value := getattr(item, name), dict):
            shorter[name] = {key: brief(inner) for key, inner in value.items()}
        excess -= sizes[name] - len(to_json(shorter.get(name, getattr(item, name))))
    return item.model_copy(update=shorter)


def brief(value: Any) -> Any:
    """The value; of a long list or object, its number of entries and the sha256 of its JSON."""
    packed = to_json(value)
    if not isinstance(value, list | dict) or len(packed) < _SHORT:
        return value
    return {"count": len(value), "sha256": hashlib.sha256(packed).hexdigest()}
