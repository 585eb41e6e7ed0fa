"""`/docs`: Swagger UI. All its assets come from this server; its bundle is part of the built
dashboard."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

router = APIRouter(include_in_schema=False)
_HERE = Path(__file__).parent


@router.get("/docs")
def show_docs() -> FileResponse:
    return FileResponse(_HERE / "page.html")


@router.get("/docs/start.js")
def start_docs() -> FileResponse:
    return FileResponse(_HERE / "start.js", media_type="text/javascript")
