"""OpenAPI descriptions of responses that are not JSON, and JSON that is made in the endpoint."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic_core import to_json

_BINARY = {"schema": {"type": "string", "format": "binary"}}

PNG: dict[int | str, dict[str, Any]] = {
    200: {"description": "The image.", "content": {"image/png": _BINARY}},
    304: {"description": "The client has it already."},
}
DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": {"application/octet-stream": _BINARY}},
    206: {"description": "The part that `Range` requested.", "content": {"application/octet-stream": _BINARY}},
    304: {"description": "The client has it already."},
}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole text.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    206: {"description": "The part that `Range` requested.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    304: {"description": "The client has it already."},
}
SCORES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One row per sample, streamed.",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.parquet": _BINARY},
    }
}
PICKS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, streamed.",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/zip": _BINARY},
    }
}
RECORD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The archive, streamed.", "content": {"application/zip": _BINARY}}
}
EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-Sent Events."}  # FastAPI describes the items
}


def json_response(content: Any) -> Response:
    """A large answer as JSON, made in the thread of its endpoint. FastAPI would make it in the one
    that serves all requests."""
    return Response(to_json(content, inf_nan_mode="null"), media_type="application/json")
