"""Refuses what no call can use: unknown query parameters, a body where none is read, and NULs."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.http.errors import Unprocessable
from api.http.no_nul import with_nul, with_nul_in_body
from api.http.unread import is_announced
from colt_core.refusals import MAX_EXPLAINED, unknown_name

NO_BODY = "This call takes no body: send the request without one."


async def refuse_unexpected(request: Request) -> None:
    """A dependency of the whole application, so that no route has to remember it.

    Without it, a misspelt filter would give the whole list, and settings in the body of a call that
    takes none would be ignored.

    Raises:
        Unprocessable: for parameters that the route does not read, a body that it does not take,
            or a NUL character.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not (route.include_in_schema or request.method == "HEAD"):
        return  # a page for a browser, whose address may carry anything
    if request.query_params:
        known = sorted(_query_names(route.dependant))
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            raise Unprocessable(*_problems(unknown, known))
    if wrong := [*with_nul(request), *(await with_nul_in_body(request) if route.body_field else ())]:
        raise Unprocessable(*wrong)
    if not _takes_body(route) and is_announced(request.headers) and await _has_body(request):
        raise Unprocessable(("", NO_BODY))


def _problems(unknown: list[str], known: list[str]) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(unknown):
        # Comparing names takes time, and only the first are shown.
        yield f"?{name}", unknown_name("query parameter", name, known if number < MAX_EXPLAINED else ())


def _query_names(dependant: Dependant) -> set[str]:
    """Names of the query parameters that an endpoint and its dependencies read."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_query_names(inner) for inner in dependant.dependencies))


def _takes_body(route: APIRoute) -> bool:
    """Whether the route reads a body. One that streams it says so in its own description."""
    return route.body_field is not None or "requestBody" in (route.openapi_extra or {})


async def _has_body(request: Request) -> bool:
    """Whether the announced body has any bytes. Only one of unannounced length is read."""
    return "content-length" in request.headers or bool(await request.body())
