"""Limits on the size, the number of parts and the time of a request body.

Files have their own size limit, as they are streamed to disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import problem_response
from api.http.unread import is_announced

MOST_BYTES = 2 * 2**20  # ImageNet-LT's list of images is half of it
_MOST_BYTES_OF_SESSION = 4096  # from clients that have no token yet
# Lists, objects and keys, counted by the characters `[`, `{` and `:`. Pydantic reports an error for
# each wrong part, and a body full of them took it seconds.
MOST_PARTS = 1000
MOST_SECONDS = 30.0  # for a whole body, or for the next piece of a file


class BodyLimit:
    """ASGI middleware that limits bodies. JSON is kept in memory, and all other requests wait while
    it is parsed."""

    def __init__(self, app: ASGIApp, is_file: Callable[[str, bool], bool], session: str) -> None:
        """Take what bodies are.

        Args:
            is_file: whether the body at a path is a file, which is not kept in memory. It is also
                given whether the body is JSON.
            session: a path whose bodies hold a token.
        """
        self._app = app
        self._is_file = is_file
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        is_json = "json" in headers.get("content-type", "").lower()
        if not is_announced(headers):
            await self._app(scope, receive, send)
        elif self._is_file(scope["path"], is_json):
            await self._app(scope, _in_pieces(receive), send)
        else:
            most = _MOST_BYTES_OF_SESSION if scope["path"] == self._session else MOST_BYTES
            announced = headers.get("content-length", "")
            if announced.isdecimal() and int(announced) > most:
                await problem_response(scope["path"], 413, _too_large(most))(scope, receive, send)
                return
            await self._app(scope, _whole(receive, most, MOST_PARTS if is_json else None), send)


def _in_pieces(receive: Receive) -> Receive:
    """Receive a file. It may take any time in all, but no piece may take too long."""
    more = True

    async def receive_piece() -> Message:
        nonlocal more
        if not more:  # the next message says that the client has left
            return await receive()
        too_late = f"No more of the file arrived for {MOST_SECONDS:g} s. Send it again."
        message = await _receive_by(_from_now(), receive, too_late)
        more = message.get("more_body", False)
        return message

    return receive_piece


def _whole(receive: Receive, most_bytes: int, most_parts: int | None) -> Receive:
    """Receive a body that is kept in memory. `most_parts` limits JSON."""
    more, arrived, parts = True, 0, 0
    deadline: float | None = None

    async def receive_some() -> Message:
        nonlocal more, arrived, parts, deadline
        if not more:
            return await receive()
        deadline = deadline or _from_now()
        message = await _receive_by(
            deadline, receive, f"The body did not arrive completely within {MOST_SECONDS:g} s. Send it again."
        )
        more = message.get("more_body", False)
        body = message.get("body", b"")
        arrived += len(body)
        if arrived > most_bytes:
            raise HTTPException(413, _too_large(most_bytes))
        if most_parts is not None:
            parts += sum(map(body.count, (b"[", b"{", b":")))
            if parts > most_parts:
                raise HTTPException(
                    413, f"The body has more than {most_parts} parts (lists, objects and keys). Send a smaller one."
                )
        return message

    return receive_some


def _from_now() -> float:
    return asyncio.get_running_loop().time() + MOST_SECONDS


async def _receive_by(deadline: float, receive: Receive, too_late: str) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        raise HTTPException(408, too_late) from None


def _too_large(most: int) -> str:
    return f"The body is larger than {most} bytes. Send large lists as an upload."
