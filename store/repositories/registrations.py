"""Data sets, OOD pools and backbones. The tables are handled alike."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import ForeignKey, delete, func, inspect, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from store.models import Base, Dataset, Registered
from store.repositories.pages import LARGE_ROWS, Slice, keyset_page
from store.statuses import RegistrationStatus

R = TypeVar("R", bound=Registered)


class InUse(Exception):
    """The row cannot be deleted, because others use it: `jobs` or `evaluations`."""


def add(session: Session, row: Registered) -> None:
    session.add(row)
    session.flush()


def get(session: Session, model: type[R], row_id: str) -> R | None:
    return session.get(model, row_id)


def lock(session: Session, model: type[R], row_id: str) -> R | None:
    """The row, locked for this transaction."""
    return session.get(model, row_id, with_for_update=True)


def asked(session: Session, model: type[R], row_id: str) -> R:
    """The row with all that its request held."""
    return session.get_one(model, row_id, options=[undefer("*")])


def indices(session: Session, row_id: str) -> str | None:
    """The indices that the request for a data set held itself, one a line."""
    return session.scalar(select(Dataset.indices).where(Dataset.id == row_id))


def same(session: Session, model: type[R], submitter: str | None, request_sha256: str) -> R | None:
    """A registration by this submitter that waits or runs, and was asked for by an equal body."""
    alike = select(model).where(
        model.status == RegistrationStatus.REGISTERING,
        model.submitter == submitter,
        model.request_sha256 == request_sha256,
    )
    return session.scalars(alike.order_by(model.created_at, model.id).limit(1)).first()


def page(
    session: Session, model: type[R], status: RegistrationStatus | None, limit: int, cursor: str | None
) -> Slice[R]:
    """A page of rows, newest first.

    Raises:
        BadCursor: when `cursor` belongs to another list.
    """
    statement = select(model)
    if status is not None:
        statement = statement.where(model.status == status)
    return keyset_page(session, statement, model, "-created_at", limit, cursor, LARGE_ROWS)


def counts_by_status(session: Session, model: type[Registered]) -> dict[RegistrationStatus, int]:
    rows = session.execute(select(model.status, func.count().label("rows")).group_by(model.status))
    return {row.status: row.rows for row in rows}


def remove(session: Session, model: type[Registered], row_id: str) -> bool:
    """Delete the row. A worker that is registering it loses its lease and stops.

    Returns:
        False when there is no such row.

    Raises:
        InUse: while another row names it.
    """
    for key in _references(model):
        if session.scalar(select(literal(1)).where(key.parent == row_id).limit(1)) is not None:
            raise InUse(key.parent.table.name)
    try:
        with session.begin_nested():
            removed = session.execute(delete(model).where(model.id == row_id).returning(model.id)).first()
    except IntegrityError as error:  # a job was submitted meanwhile
        raise InUse("jobs") from error
    return removed is not None


def _references(model: type[Registered]) -> list[ForeignKey]:
    """The columns that may name a row of this table, and hold it. Others go with it."""
    keys = (key for table in Base.metadata.sorted_tables for key in table.foreign_keys)
    return [key for key in keys if key.references(inspect(model).local_table) and key.ondelete is None]
