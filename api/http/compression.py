"""Compresses answers for clients that accept it."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Files of tensors and archives do not become smaller, and downloads resume by their exact bytes.
_AS_THEY_ARE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/vnd.apache.parquet")
_LEVEL = 6  # of 9; the higher ones cost far more time than they save bytes


class Compression:
    """ASGI middleware. Event streams, images, downloads and parts of files stay as they are.

    A compressed answer has other bytes than the one that its ETag names, so its ETag becomes a weak
    one. A download that broke off then begins again instead of mixing both (RFC 9110, 8.8.1).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, compresslevel=_LEVEL, exclude_content_types=_AS_THEY_ARE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "range" in Headers(scope=scope):
            await self._app(scope, receive, send)
            return

        async def send_weakened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                etag = headers.get("etag", "")
                if headers.get("content-encoding") == "gzip" and etag.startswith('"'):
                    headers["etag"] = f"W/{etag}"
            await send(message)

        await self._compressed(scope, receive, send_weakened)
