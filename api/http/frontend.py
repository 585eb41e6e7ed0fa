"""Serves the built dashboard, which `make frontend` puts into `api/dashboard`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUILD = Path(__file__).parents[1] / "dashboard"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>COLT Studio</title>
<h1>COLT Studio</h1><p>The API is running, but the dashboard is not built. Build it with <code>make frontend</code>,
then restart the service. The API is described at <a href="/docs">/docs</a>.</p></html>"""


def install(app: FastAPI, build: Path = BUILD) -> None:
    """Serve `build` at `/`. The API's routes go first, and every other page address gets the one
    page."""
    if (build / "index.html").is_file():
        app.frontend("/", directory=build, fallback="index.html")
        return

    @app.get("/", include_in_schema=False)
    def say_how_to_build() -> HTMLResponse:
        return HTMLResponse(_NOT_BUILT, 503, headers={"Retry-After": "60"})


class PageRules:
    """ASGI middleware for the dashboard's files.

    Browsers may keep assets forever, as their names hold a hash, but must ask again for pages.
    Wrong addresses of the API, of assets and of the guide get a problem document, never the page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_rule(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/assets/") and message["status"] in (200, 304):
                    headers["Cache-Control"] = "public, max-age=31536000, immutable"
                elif headers.get("content-type", "").startswith("text/html"):
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(("/api/", "/assets/", "/guide/")):
            # Without `Accept`, the fallback to the page does not apply.
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"accept"]
        await self._app(scope, receive, send_with_rule)
