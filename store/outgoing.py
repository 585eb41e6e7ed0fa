"""Requests to other services, bounded in time and size. No redirect is followed."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

LARGEST_ANSWER = 1 << 20  # bytes
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses within IPv6, RFC 6052


class NoAnswer(Exception):
    """The other service could not be asked, or gave no whole answer. The message has no
    address."""


class PrivateAddress(NoAnswer):
    """The name belongs to an address of this machine or of a private network."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes  # the first LARGEST_ANSWER bytes at most


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = 10,
    allow_private: bool = True,
    largest: int = LARGEST_ANSWER,
) -> Answer:
    """Send one request.

    Args:
        method: such as POST.
        url: http or https. A user and password in it are left out.
        headers: of the request.
        body: of the request.
        seconds: until the whole answer is there, beside the look-up of the name.
        allow_private: whether the address may be this machine's or that of a private network.
        largest: most bytes of the answer that are read.

    Raises:
        PrivateAddress: when it is one, and must not.
        NoAnswer: for any other reason.
    """
    backend = _Network(time.monotonic() + seconds, allow_private)
    try:
        with (
            httpcore.ConnectionPool(network_backend=backend, ssl_context=ssl.create_default_context()) as pool,
            pool.stream(method, without_user(url), headers=list((headers or {}).items()), content=body) as response,
        ):
            return Answer(response.status, _first(response.iter_stream(), largest))
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise NoAnswer(type(error).__name__) from None
    except (httpcore.UnsupportedProtocol, OSError, ValueError) as error:
        raise NoAnswer(type(error).__name__) from None


def without_user(url: str) -> str:
    """The address without the user and password that it may hold."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The IP addresses of a name.

    Raises:
        PrivateAddress: when any of them is private, and must not be.
        NoAnswer: when the name is not known.
    """
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NoAnswer("the name is not known") from None
    found = list(dict.fromkeys(str(entry[4][0]) for entry in known))
    if not allow_private and not all(map(is_public, found)):
        raise PrivateAddress("it is on this machine or in a private network")
    return found


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also one that another one embeds."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
    return ip.is_global and not ip.is_multicast


def _first(blocks: Iterable[bytes], largest: int) -> bytes:
    body = b""
    for block in blocks:
        body += block[: largest - len(body)]
        if len(body) >= largest:
            break
    return body


class _Network(httpcore.SyncBackend):
    """Connects to addresses that were checked, so a name cannot change between check and use."""

    def __init__(self, deadline: float, allow_private: bool) -> None:
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = NoAnswer("the name has no address")
        for address in addresses(host, port, allow_private=self._allow_private):
            try:
                stream = super().connect_tcp(address, port, _left(self._deadline), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Bounded(stream, self._deadline)
        raise failed


class _Bounded(httpcore.NetworkStream):
    """A connection that ends at a deadline. The client alone would only bound each single read."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
