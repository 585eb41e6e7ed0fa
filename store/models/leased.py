"""Work that one worker at a time may do. The database is the queue; a message only wakes workers.

Each kind of work is one table: a subclass of `Leased` with a `__tablename__`. The class defines the
kind's noun, its bell and its program. Code that handles all kinds gets them from `leased_models`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from sqlalchemy import BigInteger, Index, SQLColumnExpression, false, text
from sqlalchemy.orm import Mapped, mapped_column

from store.bells import Bell
from store.models.base import Identified

M = TypeVar("M", bound="Leased")

_MODELS: dict[str, type[Leased]] = {}


class Leased(Identified):
    """A row that is claimed by lease (store/leases.py)."""

    if TYPE_CHECKING:
        __tablename__: str
    noun: ClassVar[str]  # the kind of work, such as "job"
    bell: ClassVar[Bell]
    program: ClassVar[str]  # "module:function", which a worker calls in a process of its own (worker/programs.py)
    # Statuses before the work, during it and after a failure. Registrations use one status for the
    # first two.
    waiting: ClassVar[str]
    running: ClassVar[str]
    failed: ClassVar[str]
    in_work: ClassVar[tuple[str, ...]]  # statuses of rows that a worker may hold
    stays: ClassVar[bool] = False  # whether the program waits for further rows (worker/standing.py)

    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    # Failed attempts in a row without progress. They are limited; the number of attempts is not.
    faults: Mapped[int] = mapped_column(default=0, server_default="0")
    worker_id: Mapped[str | None]
    lease_token: Mapped[str | None]
    lease_expires_at: Mapped[dt.datetime | None]
    # Its place in the queue, see store/repositories/turns.py. Rows of earlier versions come first.
    submitter: Mapped[str | None]  # id of the token that asked for it; null: without a token
    turn_from: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    turn: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    is_large: Mapped[bool] = mapped_column(default=False, server_default=false())

    def __init_subclass__(cls, **options: Any) -> None:
        is_table = "__tablename__" in vars(cls)  # without one, a class only adds columns to its subclasses
        if is_table:
            lacking = [name for name in _REQUIRED if not hasattr(cls, name)]
            if lacking:
                raise TypeError(f"{cls.__name__} is leased work, but does not define {', '.join(lacking)}")
            if cls.noun in _MODELS:
                raise TypeError(f"two kinds of leased work have the noun '{cls.noun}'")
        super().__init_subclass__(**options)
        if is_table:
            _MODELS[cls.noun] = cls

    @classmethod
    def waiting_since(cls) -> SQLColumnExpression[dt.datetime]:
        """The time since which a waiting row has waited."""
        return cls.created_at

    def ended(self, status: str, reason: str | None, now: dt.datetime) -> None:
        """Set the columns that show how the work ended.

        Args:
            status: the final status.
            reason: why it failed; None if it did not.
            now: the time of the end.
        """
        raise NotImplementedError

    @classmethod
    def leftovers(cls, row_id: str, token: str, row: Self | None) -> str | None:
        """Artifact key of the files that this attempt leaves unused; None if there are none.

        Args:
            row_id: the row's id.
            token: the token of the attempt's lease.
            row: the row after the attempt; None if it was deleted.
        """
        return None


def queue_indexes(table: str) -> tuple[Index, ...]:
    """The indexes for claiming rows and for finding the place of a new one."""
    began = text("attempts > 0")
    return (
        Index(f"ix_{table}_turn", "status", "turn", "created_at", "id"),
        Index(f"ix_{table}_submitter", "submitter", "status"),
        Index(f"ix_{table}_line", "submitter", "is_large", "turn"),
        Index(f"ix_{table}_began", "turn_from", sqlite_where=began, postgresql_where=began),
    )


_REQUIRED = ("noun", "bell", "program", "waiting", "running", "failed", "in_work")


@overload
def leased_models(*, bell: Bell | None = None) -> list[type[Leased]]: ...
@overload
def leased_models(base: type[M], *, bell: Bell | None = None) -> list[type[M]]: ...
def leased_models(base: type[Any] = Leased, *, bell: Bell | None = None) -> list[type[Any]]:
    """The kinds of leased work, by lane and then in order of definition.

    Args:
        base: only subclasses of this class.
        bell: only those of this lane; None for all.
    """
    lanes = list(Bell) if bell is None else [bell]
    return [model for lane in lanes for model in _MODELS.values() if model.bell is lane and issubclass(model, base)]
