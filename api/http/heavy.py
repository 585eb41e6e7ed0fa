"""Reads that may take long: a few at a time, fewer of one client, and only while it waits.

Without this, eight comparisons of long runs kept the service busy for minutes, also after their
clients had left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import anyio
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.http.clients import client_of
from api.http.errors import Busy
from api.http.unread import is_announced
from store.cancellation import Cancellation

E = TypeVar("E", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

MOST_AT_ONCE = 4  # in one process
MOST_OF_ONE = 3  # of them for one client, so that nobody keeps all others from their curves
WAIT_SECONDS = 2.0  # for one of these places
RETRY_SECONDS = 3
_places = anyio.Semaphore(MOST_AT_ONCE)
# By client. A request that waits or runs keeps those of its client; then they are forgotten.
_own_places: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()
_MARK = "_is_heavy"


def heavy(endpoint: E) -> E:
    """Mark an endpoint of a `OneThread` route. It may answer with 503."""
    setattr(endpoint, _MARK, True)
    return endpoint


def is_heavy(endpoint: Callable[..., Any]) -> bool:
    """Whether the endpoint is marked."""
    return getattr(endpoint, _MARK, False)


def bounded(handle: Handler) -> Handler:
    """Handle a request when there is a place, and break it off when its client leaves.

    Raises:
        Busy: there was no place in time.
        ClientDisconnect: the client has left.
    """

    async def wait_and_handle(request: Request) -> Response:
        own = _own_places.setdefault(client_of(request), anyio.Semaphore(MOST_OF_ONE))
        async with AsyncExitStack() as held:
            try:
                with anyio.fail_after(WAIT_SECONDS):
                    await held.enter_async_context(own)
                    await held.enter_async_context(_places)
            except TimeoutError:
                many = f"{MOST_AT_ONCE} requests for long histories, or {MOST_OF_ONE} of yours"
                what = f"{many}, are in progress. Ask again later."
                raise Busy(what, RETRY_SECONDS) from None
            return await _while_connected(request, handle)

    return wait_and_handle


async def _while_connected(request: Request, handle: Handler) -> Response:
    if is_announced(request.headers):  # the body, which these calls refuse, is not read here
        return await handle(request)
    cancellation = Cancellation()
    watch = asyncio.create_task(_cancel_when_gone(request, cancellation))
    try:
        with cancellation.current():
            return await handle(request)
    except Exception as error:
        if cancellation.asked:
            raise ClientDisconnect from error
        raise
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _cancel_when_gone(request: Request, cancellation: Cancellation) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    await run_in_threadpool(cancellation.ask)
