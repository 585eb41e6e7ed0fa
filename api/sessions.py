"""Database sessions of a request: committed before the answer leaves, never held by a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends
from sqlalchemy.orm import Session

from store.database import reading, writing


async def _read() -> AsyncIterator[Session]:
    # Opened here, as it connects when it is first used, and a change of threads costs as much as a query. It is closed
    # in a thread of its own: the shared ones may all be held by requests that wait for this connection.
    opened = ExitStack()
    session = opened.enter_context(reading())
    try:
        yield session
    finally:
        await run_sync(opened.close, limiter=CapacityLimiter(1))


def _write() -> Iterator[Session]:
    with writing() as session:
        yield session


# Scope "function": over when the endpoint returns, so that an answer is never sent for what failed to commit.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
