"""`/docs`: Swagger UI from our own assets, none from another host. Its bundle comes with the built
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
