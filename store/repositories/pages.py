"""Pages of long lists. A cursor is opaque to clients and says where the next page begins."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.models.base import StoredEnum, UtcDateTime

T = TypeVar("T")
# Sort value of rows without one: they come last in either direction.
_NOTHING = 1e308


class BadCursor(ValueError):
    """The cursor was made for another list or order."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list and order; start again without a cursor.")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*values: str | int | float | None) -> str:
    """Pack values into one opaque, URL-safe string."""
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> list[Any]:
    """The values of :func:`encode_cursor`.

    Raises:
        BadCursor: when the types of the values are not `kinds`.
    """
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise BadCursor
    if any(isinstance(value, int) and not -(2**31) <= value < 2**31 for value in values):
        raise BadCursor
    return values


def keyset_page(
    session: Session, statement: Select[T], model: Any, order: str, limit: int, cursor: str | None
) -> Slice[T]:
    """A page by keyset: rows added or deleted before it do not shift it.

    Args:
        statement: a query for rows of `model`, filtered but not ordered.
        order: a column's name, with `-` in front for descending. Ties are ordered by id, in the
            same direction.

    Raises:
        BadCursor: when `cursor` was made for another list or order.
    """
    name, descending = order.removeprefix("-"), order.startswith("-")
    column = getattr(model, name)
    kind = dt.datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
    nothing = -_NOTHING if descending else _NOTHING
    key = func.coalesce(column, nothing) if kind is float else column
    if cursor is not None:
        cursor_order, last, last_id = decode_cursor(cursor, str, kind if kind in (float, int) else str, str)
        if cursor_order != order:
            raise BadCursor
        value = _time(last) if kind is dt.datetime else last
        if isinstance(column.type, StoredEnum) and value not in list(column.type.enum):
            raise BadCursor
        beyond = (key < value, model.id < last_id) if descending else (key > value, model.id > last_id)
        statement = statement.where(or_(beyond[0], (key == value) & beyond[1]))
    keys = (key.desc(), model.id.desc()) if descending else (key, model.id)
    rows = list(session.scalars(statement.order_by(*keys).limit(limit + 1)))
    if len(rows) <= limit:
        return Slice(rows, None)
    rows = rows[:limit]
    last_value = getattr(rows[-1], name)
    if kind is float:
        last_value = float(nothing if last_value is None else last_value)
    elif kind is dt.datetime:
        last_value = last_value.isoformat()
    return Slice(rows, encode_cursor(order, last_value, rows[-1].id))  # type: ignore[attr-defined]


def numbered_page(
    session: Session, statement: Select[T], number: InstrumentedAttribute[int], limit: int, cursor: str | None
) -> Slice[T]:
    """A page of rows that are numbered from 1, in order of their number.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    after = 0 if cursor is None else decode_cursor(cursor, int)[0]
    rows = list(session.scalars(statement.where(number > after).order_by(number).limit(limit + 1)))
    if len(rows) <= limit:
        return Slice(rows, None)
    return Slice(rows[:limit], encode_cursor(getattr(rows[limit - 1], number.key)))


def _time(text: str) -> dt.datetime:
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise BadCursor from error
    if value.tzinfo is None:
        raise BadCursor
    return value
