"""Where in a request a value is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def pointer(location: Sequence[int | str], body: Any) -> str:
    """The place of a validation error.

    It is a JSON Pointer (RFC 6901) into the body, or `?name` (query), `{name}` (path) or `name:`
    (header). Pydantic adds names of union members to a place, such as `upload` in `source`,
    `upload`, `upload_id`. Following the body that was sent shows which steps are such names.

    Args:
        location: pydantic's `loc`; its first element is the part of the request.
        body: the parsed body, or None without one.
    """
    part, *steps = location
    if part != "body":
        name = str(steps[0]) if steps else ""
        return {"query": f"?{name}", "path": f"{{{name}}}"}.get(str(part), f"{name}:")
    path, here = [], body
    for position, step in enumerate(steps):
        is_last = position == len(steps) - 1
        if isinstance(here, dict):
            if not is_last and here.get("kind") == step:  # a union member's name, perhaps a key's too
                continue
            if step in here:
                here = here[step]
            elif is_last:  # a missing value
                here = None
            else:  # a union member's name
                continue
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            continue
        path.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in path)
