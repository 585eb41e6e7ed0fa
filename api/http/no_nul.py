"""Refuses NUL characters, which Postgres cannot store and SQLite can. No text needs one.

Without this, the two would answer the same request in different ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Request

NUL = "\0"
WHY = "holds a NUL character, which no text or id has; leave it out"


def with_nul(request: Request) -> Iterator[tuple[str, str]]:
    """(pointer, what to change) of path and query parameters that hold a NUL."""
    for name, value in request.path_params.items():
        if NUL in str(value):
            yield f"{{{name}}}", WHY
    for name, value in request.query_params.multi_items():
        if NUL in name or NUL in value:
            yield f"?{name.replace(NUL, '')}", WHY


async def with_nul_in_body(request: Request) -> list[tuple[str, str]]:
    """The same for the strings of a JSON body, which has been read and parsed."""
    if "json" not in request.headers.get("content-type", "").lower():
        return []
    if b"\\u0000" not in await request.body():  # a NUL in a string of JSON is always escaped
        return []
    try:
        return [(pointer, WHY) for pointer in _pointers(await request.json())]
    except (ValueError, RecursionError):  # no JSON that is read: others refuse it
        return []


def _pointers(body: Any) -> Iterator[str]:
    """Pointers to the strings and keys that hold a NUL."""
    left = [("", body)]
    while left:
        pointer, value = left.pop()
        if isinstance(value, str) and NUL in value:
            yield pointer
        elif isinstance(value, dict):
            for key, inner in value.items():
                if NUL in key:
                    yield pointer
                left.append((f"{pointer}/{_escaped(key)}", inner))
        elif isinstance(value, list):
            left += ((f"{pointer}/{number}", inner) for number, inner in enumerate(value))


def _escaped(key: str) -> str:
    return key.replace(NUL, "").replace("~", "~0").replace("/", "~1")  # RFC 6901
