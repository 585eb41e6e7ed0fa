"""How large a request body may be. Files have their own limit, as `/uploads` streams them to disk."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 16 * 2**20


class BodyLimit:
    """ASGI middleware: a JSON body is read into memory whole, even before the token is looked at."""

    def __init__(self, app: ASGIApp, streamed: str) -> None:
        """streamed: the path whose bodies are not kept in memory."""
        self._app = app
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = 0

        async def receive_some() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > MOST_BYTES:
                raise HTTPException(413, f"The body is larger than {MOST_BYTES} bytes; send large lists as an upload.")
            return message

        bounded = scope["type"] == "http" and scope["path"] != self._streamed
        await self._app(scope, receive_some if bounded else receive, send)
