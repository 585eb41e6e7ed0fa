"""How a synchronous endpoint gets its thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.http.heavy import bounded, is_heavy


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
        return await run_in_threadpool(endpoint, **arguments)

    return run
