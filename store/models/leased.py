"""Work that one worker at a time may do. The database is the queue; a message only wakes workers.

A kind of work is one table: a subclass of `Leased` that has a `__tablename__`. It says by which
name others call it, which bell rings for it and which program works on it. Whatever deals with all
kinds asks `leased_models`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

from sqlalchemy import SQLColumnExpression
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
    program: ClassVar[str]  # module that is run as `python -m PROGRAM NOUN ID`
    # Statuses before and during the work, and after one that failed. Registrations have one name
    # for the first two.
    waiting: ClassVar[str]
    running: ClassVar[str]
    failed: ClassVar[str]
    in_work: ClassVar[tuple[str, ...]]  # statuses of rows that a worker may hold

    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    # Starts in a row that broke off without getting further: what bounds them, not the number of
    # starts.
    faults: Mapped[int] = mapped_column(default=0, server_default="0")
    worker_id: Mapped[str | None]
    lease_token: Mapped[str | None]
    lease_expires_at: Mapped[dt.datetime | None]

    def __init_subclass__(cls, **options: Any) -> None:
        is_table = "__tablename__" in vars(cls)  # else columns that several tables share
        if is_table:
            lacking = [name for name in _SAID_OF_A_KIND if not hasattr(cls, name)]
            if lacking:
                raise TypeError(f"{cls.__name__} is leased, and does not say its {', '.join(lacking)}")
            if cls.noun in _MODELS:
                raise TypeError(f"two kinds of leased work are called '{cls.noun}'")
        super().__init_subclass__(**options)
        if is_table:
            _MODELS[cls.noun] = cls

    @classmethod
    def waiting_since(cls) -> SQLColumnExpression[dt.datetime]:
        """Since when a waiting row has waited."""
        return cls.created_at

    def ended(self, status: str, reason: str | None, now: dt.datetime) -> None:
        """Set the columns that tell how the work ended. `reason` says why it failed."""
        raise NotImplementedError

    @classmethod
    def leftovers(cls, row_id: str, token: str, row: Self | None) -> str | None:
        """Key of the files that nobody reads once the attempt under this lease is over; None for
        none.

        Args:
            row: as it is by then; None when it was deleted.
        """
        return None


_SAID_OF_A_KIND = ("noun", "bell", "program", "waiting", "running", "failed", "in_work")


@overload
def leased_models(*, bell: Bell | None = None) -> list[type[Leased]]: ...
@overload
def leased_models(base: type[M], *, bell: Bell | None = None) -> list[type[M]]: ...
def leased_models(base: type[Any] = Leased, *, bell: Bell | None = None) -> list[type[Any]]:
    """Every kind of leased work, by lane and then in order of definition; or those of one base, or
    in one lane."""
    lanes = list(Bell) if bell is None else [bell]
    return [model for lane in lanes for model in _MODELS.values() if model.bell is lane and issubclass(model, base)]
