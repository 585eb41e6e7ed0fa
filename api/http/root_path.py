"""The path under which a reverse proxy publishes the service (COLT_ROOT_PATH)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RootPath:
    """ASGI middleware: what is inside it knows only addresses without the root path.

    A proxy may pass the path on or take it off: both kinds of addresses are answered. Starlette's
    own `root_path` would leave it in `scope["path"]`, which our other middleware reads.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_within(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "location" in headers:
                    headers["Location"] = self._within(headers["Location"], Headers(scope=scope).get("host"))
            await send(message)

        path: str = scope["path"]
        if path == self._root or path.startswith(f"{self._root}/"):
            raw: bytes = scope.get("raw_path") or path.encode()
            below = raw.removeprefix(self._root.encode())  # as it is, if the client escaped a character of it
            scope = {**scope, "path": path.removeprefix(self._root) or "/", "raw_path": below or b"/"}
        await self._app(scope, receive, send_within)

    def _within(self, location: str, host: str | None) -> str:
        """A `Location` as clients see it. Starlette's redirects name the host; relative ones need
        no change."""
        parts = urlsplit(location)
        if not parts.path.startswith("/") or (parts.netloc and parts.netloc != host):
            return location
        return parts._replace(path=self._root + parts.path).geturl()
