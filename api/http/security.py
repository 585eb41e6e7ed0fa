"""Checks on every request (host name, origin of writes), and security headers on every response."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import problem_response

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:/@?#\s]+)(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Security:
    """ASGI middleware.

    Args:
        hosts: names that a Host header may have; `*` allows every name. By DNS rebinding, a web
            page can reach a server on loopback, but only under a foreign name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        else:
            status, detail = refusal
            await problem_response(scope["path"], status, detail)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        scheme = scope.get("scheme", "http")
        hosts = headers.getlist("host")
        host = _authority(hosts[0], scheme) if len(hosts) == 1 else None
        if host is None:
            return 400, "The Host header must be one name or address, with a port from 1 to 65535 or none."
        if "*" not in self._hosts and host[0] not in self._hosts:
            return 400, "This server does not accept that Host name. Add it to COLT_ALLOWED_HOSTS."
        if scope["method"] in _SAFE:
            return None
        if headers.get("sec-fetch-site") == "cross-site" or not _is_own(headers.getlist("origin"), scheme, host):
            return 403, (
                "Pages of other sites may not write to this server. If this is its own page, behind a proxy: "
                "let the proxy keep the Host header and send X-Forwarded-Proto, and name it in COLT_TRUSTED_PROXIES."
            )
        return None


def _is_own(origins: list[str], scheme: str, host: tuple[str, int]) -> bool:
    """Whether these Origin headers are of this server's own pages. Programs send none."""
    if not origins:
        return True
    named, _, authority = origins[0].lower().partition("://")
    return len(origins) == 1 and named == scheme and _authority(authority, named) == host


def _authority(text: str, scheme: str) -> tuple[str, int] | None:
    """(name, port) of a Host header, or of what follows the scheme of an origin. None if it is
    neither.

    Args:
        scheme: gives the port where there is none.
    """
    match = _AUTHORITY.fullmatch(text.lower())
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS.get(scheme, 0)
    return (match["name"], port) if port <= 65_535 and (port or not match["port"]) else None
