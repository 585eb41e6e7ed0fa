"""Closes the connection if the response begins before the whole body has arrived."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class CloseUnread:
    """ASGI middleware. Without it the server would read the rest of the body and throw it away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unread = is_announced(Headers(scope=scope))

        async def receive_to_the_end() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and message.get("more_body", False)
            return message

        async def send_or_close(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive_to_the_end, send_or_close)


def is_announced(headers: Headers) -> bool:
    """Whether a request with these headers has a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
