"""What every answer is made of."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of an answer. What a newer server adds is kept in `model_extra`."""

    # A class is built when it is first used: importing all of them takes a tenth of a second.
    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), defer_build=True)


T = TypeVar("T")


class Page(Model, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None
