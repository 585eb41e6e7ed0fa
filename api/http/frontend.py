"""Serves the built dashboard, which `make frontend` puts into `api/dashboard`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import HTTPException
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.settings import get_settings

BUILD = Path(__file__).parents[1] / "dashboard"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>COLT Studio</title>
<h1>COLT Studio</h1><p>The API is running, but the dashboard is not built. Build it with <code>make frontend</code>,
then restart the service. The API is described at <a href="docs">/docs</a>.</p></html>"""


def install(app: FastAPI, build: Path = BUILD) -> None:
    """Serve `build` at `/`. The API's routes go first, and every other page address gets the one
    page."""
    if (build / "index.html").is_file():
        if root := get_settings().root_path:
            _install_below(root, app, build)
        else:
            app.frontend("/", directory=build, fallback="index.html")
        return

    @app.get("/", include_in_schema=False)
    def say_how_to_build() -> HTMLResponse:
        return HTMLResponse(_NOT_BUILT, 503, headers={"Retry-After": "60"})


def _install_below(root: str, app: FastAPI, build: Path) -> None:
    """The same, with the root path in front of every address in the page.

    Nowhere else in the build does an address begin with a slash (vite.config.ts).
    """
    page = (build / "index.html").read_text("utf-8").replace('="/', f'="{root}/')
    for entry in build.iterdir():
        if entry.is_dir():
            app.frontend(f"/{entry.name}", directory=entry, fallback=None)
        elif entry.name != "index.html":
            _serve_file(app, entry)

    async def answer_with_page(scope: Scope, receive: Receive, send: Send) -> None:
        wants_page = scope["path"] in {"/", "/index.html"} or "text/html" in Headers(scope=scope).get("accept", "")
        if scope["method"] not in {"GET", "HEAD"} or not wants_page:
            raise HTTPException(404)
        await HTMLResponse(page)(scope, receive, send)

    app.router.default = answer_with_page


def _serve_file(app: FastAPI, file: Path) -> None:
    @app.get(f"/{file.name}", include_in_schema=False)
    def get_file() -> FileResponse:
        return FileResponse(file)


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
