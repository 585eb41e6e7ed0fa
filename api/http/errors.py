"""Every error is a problem document (RFC 9457) that says what is wrong and what to change."""

from __future__ import annotations

import errno
import http
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.pointers import pointer
from api.http.templates import route_template
from api.http.unknown_keys import unknown_key
from colt_core.refusals import unknown_name
from store.database import waited_too_long
from store.repositories.pages import BadCursor
from store.settings import get_settings

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
# Messages may repeat what the client sent. These limits keep responses small.
_MOST_PROBLEMS = 50
_LONGEST_PROBLEM = 300
FULL_RETRY_SECONDS = "30"


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    pointer: str = Field(
        description="JSON Pointer (RFC 6901) into the body, such as `/config/epochs`. Other parts of the request are "
        "written `?name` (query), `{name}` (path) or `name:` (header)."
    )
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "batch_size: 512 is more than the 100 training images",
                "instance": "/api/v1/jobs",
                "errors": [{"pointer": "/config/batch_size", "detail": "512 is more than the 100 training images"}],
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = Field(
        None, description="The wrong values, if the problem lies in single values."
    )
    estimate: dict[str, Any] | None = Field(
        None, description="What a job that was refused for its cost is estimated to need, as in `POST /jobs/estimate`."
    )


class ApiError(Exception):
    """An error response, raised anywhere in a request."""

    status = 500

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers
        self.errors: list[FieldProblem] | None = None
        self.estimate: dict[str, Any] | None = None


class Unauthorized(ApiError):
    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    status = 404


class TooSlow(ApiError):
    status = 408


class Conflict(ApiError):
    status = 409


class TooLarge(ApiError):
    status = 413


class UnsupportedMediaType(ApiError):
    status = 415


class Full(ApiError):
    """The disk has no room above its floor."""

    status = 507

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": FULL_RETRY_SECONDS})


class TooManyRequests(ApiError):
    status = 429

    def __init__(self, detail: str, wait_seconds: int) -> None:
        super().__init__(detail, {"Retry-After": str(wait_seconds)})


class Busy(ApiError):
    status = 503

    def __init__(self, detail: str, wait_seconds: int) -> None:
        super().__init__(detail, {"Retry-After": str(wait_seconds)})


class NoRoom(ApiError):
    status = 507


class RangeNotSatisfiable(ApiError):
    status = 416


class Unprocessable(ApiError):
    """Values that are well-formed but wrong. A pointer names each of them."""

    status = 422

    def __init__(self, *problems: tuple[str, str]) -> None:
        """problems: (pointer, what to change) pairs."""
        named = [(_short(where), _short(what)) for where, what in problems[:_MOST_PROBLEMS]]
        told = [f"{where.strip('/?:') or 'body'}: {what}" for where, what in named]
        if (more := len(problems) - len(named)) > 0:
            told.append(f"and {more} more")
        super().__init__("; ".join(told))
        self.errors = [FieldProblem(pointer=where, detail=what) for where, what in named]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_PROBLEM else f"{text[:_LONGEST_PROBLEM]}..."


def problem_response(
    instance: str,
    status: int,
    detail: str,
    errors: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem document. `more` are extension members (RFC 9457, section 3.2)."""
    body = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=get_settings().root_path + instance,
        errors=None if errors is None else list(errors),
    )
    content = {**body.model_dump(exclude_none=True), **more}
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def _of_api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    more = {} if error.estimate is None else {"estimate": error.estimate}
    return problem_response(request.url.path, error.status, error.detail, error.errors, error.headers, **more)


def _of_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    details = {
        404: "There is nothing at this address. Check its spelling; /docs lists all addresses.",
        405: f"This address does not support {request.method}. The Allow header lists what it supports.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # The router lists the methods of one route, but an address may have several routes.
        operations = request.app.openapi()["paths"].get(route_template(request.scope), {})
        headers |= {"Allow": ", ".join(sorted(method.upper() for method in operations))} if operations else {}
    return problem_response(request.url.path, error.status_code, detail, headers=headers)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    told = {
        "json_invalid": "The body is not valid JSON.",
        "string_pattern_mismatch": "Use no invisible characters, none that change the direction of text, "
        "and not only spaces.",
    }
    if isinstance(error.body, bytes | str) and error.body and not media_type.endswith("json"):
        detail = f"The body must be JSON with `Content-Type: application/json`, not `{media_type or 'no type'}`."
        return problem_response(request.url.path, 415, detail)
    problems: list[tuple[str, str]] = []
    for item in error.errors():
        kind = item["type"]
        where = pointer(item["loc"], None if kind == "json_invalid" else error.body)
        what = told.get(kind, item["msg"].removeprefix("Value error, "))
        if kind.startswith("union_tag"):
            name = item["ctx"]["discriminator"].strip("'")
            where = where or f"/{name}"  # the body as a whole has no pointer
            what = _unknown_tag(name, item["ctx"])
        # Comparing names takes time, and what is not shown needs no hint.
        if kind == "extra_forbidden" and len(problems) < _MOST_PROBLEMS:
            what = unknown_key(request, item["loc"])
        problems.append((where, what))
    return _of_api_error(request, Unprocessable(*problems))


def _unknown_tag(name: str, context: Mapping[str, str]) -> str:
    """What to change if the value that says which kind of object this is names none."""
    if "tag" not in context:
        return "is missing: it says which settings the object has"
    known = [tag.strip("'") for tag in context["expected_tags"].split(", ")]
    return f"{unknown_name(name, context['tag'], known)} Choose one of {', '.join(known)}"


def _of_disconnect(request: Request, _error: Exception) -> JSONResponse:
    # Nobody reads this response. Without it the log would get a stack trace for what the client
    # did.
    return problem_response(request.url.path, 400, "The connection was closed before the whole body had arrived.")


def _of_bad_cursor(request: Request, error: Exception) -> JSONResponse:
    return _of_api_error(request, Unprocessable(("?cursor", str(error))))


def _of_bad_value(request: Request, error: Exception) -> JSONResponse:
    log.info("the database refused a value", exc_info=error)
    return _of_api_error(request, Unprocessable(("", "a value has a size or characters that cannot be stored")))


def _of_database(request: Request, error: Exception) -> JSONResponse:
    log.error("the database does not answer", exc_info=error)
    why = "The database does not answer, or its disk is full."
    if waited_too_long(error):
        why = "The database is busy: what this call needs is locked, or its query takes too long."
    detail = f"{why} Try again in a moment. Before you repeat a write, check whether it was stored."
    return problem_response(request.url.path, 503, detail, headers={"Retry-After": "2"})


def _of_lost_connection(request: Request, error: Exception) -> JSONResponse:
    """Of any other error with which the connection ended, such as that of a transaction that was
    idle for too long."""
    assert isinstance(error, sqlalchemy.exc.DBAPIError)
    if not error.connection_invalidated:
        raise error
    return _of_database(request, error)


def _of_storage(request: Request, error: Exception) -> JSONResponse:
    log.error("files cannot be read or written", exc_info=error)
    full = is_full(error)
    why = "The disk of the artifact store is full" if full else "The artifact store cannot be read or written"
    detail = f"{why}. Nothing was changed. Try again later; `/readyz` shows when it is back."
    return problem_response(request.url.path, 503, detail, headers={"Retry-After": FULL_RETRY_SECONDS if full else "5"})


def is_full(error: BaseException) -> bool:
    """Whether a disk is full, or would have less free than its floor."""
    return any(getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for cause in (error, error.__cause__))


class Uncaught:
    """ASGI middleware that logs any other exception and answers with a problem document.

    Starlette would answer outside of all middleware. Its response would be uncounted, without
    security headers and request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            if scope["type"] != "http" or begun:  # a broken connection shows that the response is incomplete
                raise
            log.exception("a request failed")
            detail = "Something went wrong in the server. Its log has the cause."
            await problem_response(scope["path"], 500, detail)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Make every error response of `app` a problem document."""
    app.add_exception_handler(ApiError, _of_api_error)
    app.add_exception_handler(HTTPException, _of_http_exception)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(ClientDisconnect, _of_disconnect)
    app.add_exception_handler(BadCursor, _of_bad_cursor)
    app.add_exception_handler(sqlalchemy.exc.DataError, _of_bad_value)
    app.add_exception_handler(sqlalchemy.exc.OperationalError, _of_database)
    app.add_exception_handler(sqlalchemy.exc.InterfaceError, _of_database)
    app.add_exception_handler(sqlalchemy.exc.TimeoutError, _of_database)
    app.add_exception_handler(sqlalchemy.exc.DBAPIError, _of_lost_connection)
    app.add_exception_handler(OSError, _of_storage)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of a route that may answer with these errors."""
    return {
        status: {
            "model": Problem,
            "description": http.HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
