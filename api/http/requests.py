"""Counts and logs requests, and gives each an id that its log lines share."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.health import metrics
from api.http.templates import route_template
from store import logs

log = logging.getLogger("api.http.requests")
HEADER = "X-Request-ID"
# Characters that need no escaping anywhere, and at most the length of a tracing system's id.
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_READING = {"GET", "HEAD", "OPTIONS"}
_PROBES = {"/healthz", "/readyz", "/metrics"}


class Requests:
    """The outermost ASGI middleware.

    A well-formed `X-Request-ID` of the request is kept; otherwise a new id is made. Writes and
    failures are logged. Successful reads are logged at level DEBUG only, as clients poll.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        began, status = time.perf_counter(), 0  # 0: the client left before the response began

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                metrics.count_request(scope["method"], _route(scope), status, time.perf_counter() - began)
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with logs.bound(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                _log(scope, status, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    return route_template(scope) or "other"


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(HEADER, "")
    return given if _WELL_FORMED.fullmatch(given) else secrets.token_hex(16)


def _log(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    level = logging.DEBUG
    if route not in _PROBES and (status >= 400 or scope["method"] not in _READING):
        level = logging.WARNING if status >= 500 else logging.INFO
    params: dict[str, Any] = {
        name: str(value)[:64] for name, value in scope.get("path_params", {}).items() if name.endswith("_id")
    }
    measured = {"status": status, "seconds": round(seconds, 4)}
    log.log(level, "%s %s", scope["method"], route, extra=params | measured)
