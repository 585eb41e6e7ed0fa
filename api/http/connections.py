"""Limits on connections, which uvicorn's own server does not have.

A reverse proxy has such limits too. They hold here as well, since not everybody has one.
"""

from __future__ import annotations

import asyncio
import http
import ipaddress
import json
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.http.errors import MEDIA_TYPE, Problem
from store.settings import get_settings

RETRY_SECONDS = 10


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for the headers of a request, and limits on the number of
    connections, in all and from one address.

    uvicorn 0.54 limits the time between requests alone, and the first byte ends it
    (`H11Protocol.data_received`). A client that sends a header line a minute kept its connection
    without end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = get_settings()
        self._headers_late: asyncio.TimerHandle | None = None
        self._refused = False
        self._silent = True  # nothing was ever received

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        problem = self._too_many()
        if problem is not None:
            self._refused = True
            self._refuse(503, problem, {"Retry-After": str(RETRY_SECONDS)})
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._silent = False
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the headers are there
            self._stop_waiting()
        elif self._headers_late is None:
            self._await_headers()

    def _await_headers(self) -> None:
        self._headers_late = self.loop.call_later(self._settings.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._headers_late is not None:
            self._headers_late.cancel()
            self._headers_late = None

    def _give_up(self) -> None:
        self._headers_late = None
        if self._silent:  # browsers open connections that they may need; there is no request to answer
            self.transport.close()
        elif not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self._refuse(408, f"The headers did not arrive within {self._settings.header_seconds:g} s.", {})

    def _too_many(self) -> str | None:
        """Why this connection, which is counted already, is one too many; None if it is not."""
        if len(self.connections) > self._settings.max_connections:
            return f"All {self._settings.max_connections} connections are taken. Try again in a moment."
        address = self._address()
        if _is_in(address, self._settings.trusted_proxies):
            return None
        most = self._settings.max_connections_per_address
        own = [other for other in self.connections if isinstance(other, LimitedProtocol)]
        if sum(other._address() == address for other in own) > most:
            return f"{most} connections from this address are open. Close some, or try again in a moment."
        return None

    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _refuse(self, status: int, detail: str, headers: dict[str, str]) -> None:
        phrase = http.HTTPStatus(status).phrase
        problem = Problem(title=phrase, status=status, detail=detail, instance="/")
        body = json.dumps(problem.model_dump(exclude_none=True)).encode()
        lines = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _is_in(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket has none
        return False
    return any(parsed in ipaddress.ip_network(network) for network in networks)
