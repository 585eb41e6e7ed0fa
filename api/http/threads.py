"""How code that waits for the database or for files gets its thread.

These threads are apart from those of the dashboard's files and of the docs. So a stuck query
delays only what needs the database.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.http.errors import Busy
from api.http.heavy import bounded, is_heavy
from store.database import POOL_SIZE

P = ParamSpec("P")
R = TypeVar("R")

MOST_AT_ONCE = POOL_SIZE  # so that no thread waits for another's connection
WAIT_SECONDS = 10.0  # for one of these threads
_places = anyio.Semaphore(MOST_AT_ONCE, fast_acquire=True)
_unlimited = anyio.CapacityLimiter(math.inf)  # the places are the limit


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that may wait, in a thread.

    Raises:
        Busy: all threads stay taken, as when many queries wait for a locked table.
    """
    try:
        with anyio.fail_after(WAIT_SECONDS):
            await _places.acquire()
    except TimeoutError:
        raise Busy(f"All {MOST_AT_ONCE} threads wait for the database. Try again in a moment.", 2) from None
    try:
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=_unlimited)
    finally:
        _places.release()


class OneThread(APIRoute):
    """A route whose synchronous endpoint changes threads once. FastAPI would change a second time
    to check the result.

    One that is marked as `heavy` runs only when there is a place for it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        plain = not (iscoroutinefunction(endpoint) or isasyncgenfunction(endpoint))
        super().__init__(path, _in_thread(endpoint) if plain else endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        return bounded(handle) if is_heavy(self.endpoint) else handle


def _in_thread(endpoint: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(endpoint)
    async def run(**arguments: Any) -> Any:
        return await in_thread(endpoint, **arguments)

    return run
