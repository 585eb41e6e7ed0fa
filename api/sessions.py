"""Database sessions of a request: committed before the answer leaves, never held by a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import Session

from store.database import reading, writing


def _read() -> Iterator[Session]:
    with reading() as session:
        yield session


def _write() -> Iterator[Session]:
    with writing() as session:
        yield session


# Scope "function": over when the endpoint returns, so that an answer is never sent for what failed to commit.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
