"""How large a request body may be. Files have their own limit, as `/uploads` streams them to disk."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem_response

MOST_BYTES = 2 * 2**20  # ImageNet-LT's list of images is half of it
_MOST_BYTES_OF_SESSION = 4096  # of whoever has no token yet


class BodyLimit:
    """ASGI middleware: a JSON body is read and parsed whole, even before the token is looked at."""

    def __init__(self, app: ASGIApp, streamed: str, session: str) -> None:
        """Paths: `streamed`, whose bodies are not kept in memory, and `session`, whose bodies hold a token."""
        self._app = app
        self._streamed = streamed
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._streamed:
            await self._app(scope, receive, send)
            return
        most = _MOST_BYTES_OF_SESSION if scope["path"] == self._session else MOST_BYTES
        detail = f"The body is larger than {most} bytes; send large lists as an upload."
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            refusal = problem_response(scope["path"], 413, detail, headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return
        arrived = 0

        async def receive_some() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self._app(scope, receive_some, send)
