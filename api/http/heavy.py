"""Reads that may take long: a few at a time, and only while their client waits.

Without this, eight comparisons of long runs kept the service busy for minutes, also after their
clients had left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.http.errors import Busy
from api.http.unread import is_announced
from store.cancellation import Cancellation

E = TypeVar("E", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

MOST_AT_ONCE = 4  # in one process
WAIT_SECONDS = 2.0  # for one of these places
RETRY_SECONDS = 3
_places = anyio.Semaphore(MOST_AT_ONCE)
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
        try:
            with anyio.fail_after(WAIT_SECONDS):
                await _places.acquire()
        except TimeoutError:
            what = f"{MOST_AT_ONCE} requests for long histories are in progress. Ask again later."
            raise Busy(what, RETRY_SECONDS) from None
        try:
            return await _while_connected(request, handle)
        finally:
            _places.release()

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
