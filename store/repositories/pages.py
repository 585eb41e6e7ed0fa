"""Pages of long lists. A cursor is opaque to clients and says where the next page begins.

Cursors are signed with a key in the database, which all processes share. So their values are those
of an earlier page.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.models import ServiceKey
from store.models.base import UtcDateTime

T = TypeVar("T")
# Sort value of rows without one: they come last in either direction.
_NOTHING = 1e308
# Rows that are read at once. A large one holds lists, and a page of such rows may end early.
SMALL_ROWS, LARGE_ROWS = 100, 4
_SIGNATURE_BYTES = 16
_keys: dict[str, bytes] = {}  # by address of the database


class BadCursor(ValueError):
    """The cursor was made for another list or order, or not by this service."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list and order; start again without a cursor.")


class Slice(Generic[T]):
    """One page of a list. Its rows are read while they are taken, which can be done once.

    Args:
        rows: the rows of the page, and one more if there is a next page.
        limit: most rows of the page.
        after: makes the cursor of the next page, from the number of rows on this one and its last.
    """

    def __init__(self, rows: Generator[T, None, None], limit: int, after: Callable[[int, T], str]) -> None:
        self._rows = rows
        self._limit = limit
        self._after = after

    def take(self, accept: Callable[[T], bool]) -> str | None:
        """Pass rows to `accept` until the page is full, or it refuses one. The first it must take.

        Returns:
            The cursor for the rest of the list; None if nothing is left.
        """
        taken: list[T] = []  # the last one
        number = 0
        with closing(self._rows):
            for row in self._rows:
                if number == self._limit or not accept(row):
                    break
                number, taken = number + 1, [row]
            else:
                return None
        return self._after(number, taken[0])

    def all(self) -> tuple[list[T], str | None]:
        """The rows of the page, and the cursor of the next one."""
        rows: list[T] = []

        def keep(row: T) -> bool:
            rows.append(row)
            return True

        following = self.take(keep)
        return rows, following


def encode_cursor(session: Session, *values: str | int | float | None) -> str:
    """Pack values into one opaque, URL-safe and signed string."""
    packed = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_signature(session, packed) + packed).rstrip(b"=").decode()


def decode_cursor(session: Session, cursor: str, *kinds: type) -> list[Any]:
    """The values of :func:`encode_cursor`.

    Raises:
        BadCursor: when this service has not made it, or the types of the values are not `kinds`.
    """
    try:
        signed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    signature, packed = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(session, packed)):
        raise BadCursor
    values: list[Any] = json.loads(packed)
    if [type(value) for value in values] != list(kinds):
        raise BadCursor
    return values


def _signature(session: Session, packed: bytes) -> bytes:
    address = str(session.get_bind().engine.url)
    if address not in _keys:
        key = session.scalars(select(ServiceKey.value).where(ServiceKey.name == "cursors")).one()
        _keys[address] = bytes.fromhex(key)
    return hmac.digest(_keys[address], packed, "sha256")[:_SIGNATURE_BYTES]


def keyset_page(
    session: Session,
    statement: Select[T],
    model: Any,
    order: str,
    limit: int,
    cursor: str | None,
    at_once: int = SMALL_ROWS,
) -> Slice[T]:
    """A page by keyset: rows added or deleted before it do not shift it.

    Args:
        statement: a query for rows of `model`, filtered but not ordered.
        order: a column's name, with `-` in front for descending. Ties are ordered by id, in the
            same direction.
        limit: most rows of the page.
        cursor: the page begins behind it; None for the first page.
        at_once: how many rows are in memory at once, before the page knows whether they fit.

    Raises:
        BadCursor: when `cursor` was made for another list or order.
    """
    name, descending = order.removeprefix("-"), order.startswith("-")
    column = getattr(model, name)
    kind = dt.datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
    nothing = -_NOTHING if descending else _NOTHING
    key = func.coalesce(column, nothing) if kind is float else column
    if cursor is not None:
        kinds = (str, str, kind if kind in (float, int) else str, str)
        table, cursor_order, last, last_id = decode_cursor(session, cursor, *kinds)
        if (table, cursor_order) != (model.__tablename__, order):
            raise BadCursor
        value = dt.datetime.fromisoformat(last) if kind is dt.datetime else last
        beyond = (key < value, model.id < last_id) if descending else (key > value, model.id > last_id)
        statement = statement.where(or_(beyond[0], (key == value) & beyond[1]))
    keys = (key.desc(), model.id.desc()) if descending else (key, model.id)

    def after(_: int, row: Any) -> str:
        last = getattr(row, name)
        if kind is float:
            last = float(nothing if last is None else last)
        elif kind is dt.datetime:
            last = last.isoformat()
        return encode_cursor(session, model.__tablename__, order, last, row.id)

    return Slice(_rows(session, statement.order_by(*keys).limit(limit + 1), at_once), limit, after)


def numbered_page(
    session: Session,
    statement: Select[T],
    number: InstrumentedAttribute[int],
    limit: int,
    cursor: str | None,
    at_once: int = SMALL_ROWS,
) -> Slice[T]:
    """A page of rows that are numbered from 1, in order of their number. See :func:`keyset_page`.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    table, after = number.class_.__tablename__, 0
    if cursor is not None:
        cursor_table, after = decode_cursor(session, cursor, str, int)
        if cursor_table != table:
            raise BadCursor
    following = statement.where(number > after).order_by(number).limit(limit + 1)

    def cursor_after(_: int, row: T) -> str:
        return encode_cursor(session, table, getattr(row, number.key))

    return Slice(_rows(session, following, at_once), limit, cursor_after)


def _rows(session: Session, statement: Select[T], at_once: int) -> Generator[T, None, None]:
    with session.scalars(statement.execution_options(yield_per=at_once)) as found:
        yield from found
