"""How a synchronous endpoint gets its thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute


class OneThread(APIRoute):
    """A route whose synchronous endpoint changes threads once. FastAPI would change a second time
    to check the result."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        plain = not (iscoroutinefunction(endpoint) or isasyncgenfunction(endpoint))
        super().__init__(path, _in_thread(endpoint) if plain else endpoint, **options)


def _in_thread(endpoint: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(endpoint)
    async def run(**arguments: Any) -> Any:
        return await run_in_threadpool(endpoint, **arguments)

    return run
