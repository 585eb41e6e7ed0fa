"""Whose work comes next. The queue of each kind of work is shared by weighted fair queueing.

The rows of one submitter form a line of small work and one of large work. A row begins where the
row before it in its line ends, or at the time of the queue if that is later. It ends after its
cost; this is its `turn`. The row with the lowest turn is claimed next. The time of the queue is
where the latest row that was claimed began. So a submitter with many rows delays another's first
one by about one row, and small work passes large work. Nothing waits without end, since each line
moves on. See Demers, Keshav and Shenker, "Analysis and simulation of a fair queueing algorithm",
1989, and Goyal, Vin and Cheng, "Start-time fair queueing", 1997.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select
from sqlalchemy.orm import Session

from store.models import Leased

COST = 1000  # of small work
_LOCKS = 0x636F6C74  # of Postgres' advisory locks, those of queues


class QueueFull(Exception):
    """The submitter has as many waiting rows of this kind as allowed: `waiting`."""

    def __init__(self, waiting: int) -> None:
        super().__init__(waiting)
        self.waiting = waiting


@dataclass(frozen=True, slots=True)
class Place:
    """The columns of a row that say when it is claimed."""

    submitter: str | None
    turn_from: int
    turn: int
    is_large: bool

    @property
    def columns(self) -> dict[str, Any]:
        return asdict(self)

    def give(self, row: Leased) -> None:
        """Set them."""
        for name, value in self.columns.items():
            setattr(row, name, value)


def lock(session: Session, submitter: str | None) -> None:
    """Let no other transaction queue work of this submitter until the end of this one.

    Call it before other rows are locked. On SQLite a transaction that writes is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCKS, func.hashtext(submitter or ""))))


def place(
    session: Session, model: type[Leased], submitter: str | None, most: int, *, cost: int = COST, is_large: bool = False
) -> Place:
    """The place of a new row in its queue. Call it under :func:`lock`.

    Args:
        submitter: id of the token that submits it; None without a token.
        most: the most waiting rows that a submitter may have.
        cost: how much of the queue's time the row takes.

    Raises:
        QueueFull
    """
    return places(session, model, submitter, most, 1, cost=cost, is_large=is_large)[0]


def places(
    session: Session,
    model: type[Leased],
    submitter: str | None,
    most: int,
    number: int,
    *,
    cost: int = COST,
    is_large: bool = False,
) -> list[Place]:
    """The places of so many new rows, in their order. See :func:`place`.

    Raises:
        QueueFull: not all of them may wait.
    """
    mine = model.submitter == submitter
    waiting = session.scalars(select(func.count()).select_from(model).where(mine, _waits(model))).one()
    if waiting + number > most:
        raise QueueFull(waiting)
    # Rows that were cancelled before they began took no time.
    counts = or_(_began(model), _waits(model))
    line = select(model.turn).where(mine, model.is_large.is_(is_large), counts)
    last = session.scalar(line.order_by(model.turn.desc()).limit(1))
    time = session.scalar(select(model.turn_from).where(_began(model)).order_by(model.turn_from.desc()).limit(1))
    begin = max(time or 0, last or 0)
    return [Place(submitter, begin + n * cost, begin + (n + 1) * cost, is_large) for n in range(number)]


def ahead(session: Session, row: Leased) -> int | None:
    """How many rows will be claimed before this one. None: it does not wait."""
    model = type(row)
    if row.status != model.waiting or row.lease_token is not None:
        return None
    same_turn = and_(model.turn == row.turn, _older(model, row))
    before = and_(_waits(model), or_(model.turn < row.turn, same_turn))
    return session.scalars(select(func.count()).select_from(model).where(before)).one()


def _older(model: type[Leased], row: Leased) -> ColumnElement[bool]:
    same_time = and_(model.created_at == row.created_at, model.id < row.id)
    return or_(model.created_at < row.created_at, same_time)


def _began(model: type[Leased]) -> ColumnElement[bool]:
    return model.attempts > literal_column("0")  # as the index says it


def _waits(model: type[Leased]) -> ColumnElement[bool]:
    return and_(model.status == model.waiting, model.lease_token.is_(None))
