"""The address template that a request matches."""

from __future__ import annotations

from starlette.types import Scope

PREFIX = "/api/v1"


def route_template(scope: Scope) -> str | None:
    """The address of the matched route, with parameters as `{name}`. None if no route matched."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return None
    # A route knows its path within its router, not the prefix that the router was included under.
    return PREFIX + path if scope["path"].startswith(f"{PREFIX}/") and not path.startswith(PREFIX) else path
