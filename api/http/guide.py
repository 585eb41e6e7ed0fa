"""Serves the built guide, which `make guide` puts into `api/guide`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

BUILD = Path(__file__).parents[1] / "guide"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>COLT Studio: the guide</title>
<h1>The guide</h1><p>The API is running, but the guide is not built. Build it with <code>make guide</code>,
then restart the service. The same pages are in the folder <code>docs</code> of a checkout.</p></html>"""


def install(app: FastAPI, build: Path = BUILD) -> None:
    """Serve `build` at `/guide`. An address that is no page is a 404, never the dashboard."""
    if (build / "index.html").is_file():

        @app.get("/guide", include_in_schema=False)
        def go_to_first_page() -> RedirectResponse:
            return RedirectResponse("guide/index.html")

        app.frontend("/guide", directory=build, fallback=None)
        return

    @app.get("/guide", include_in_schema=False)
    @app.get("/guide/{page:path}", include_in_schema=False)
    def say_how_to_build_guide() -> HTMLResponse:
        return HTMLResponse(_NOT_BUILT, 503, headers={"Retry-After": "60"})
