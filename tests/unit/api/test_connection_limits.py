"""Connections that are held and not used: slow headers, and too many of them."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.support.processes import wait_until
from tests.support.serving import serving
from tests.support.settings import forget_settings

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@contextlib.contextmanager
def limited(app: FastAPI, monkeypatch: pytest.MonkeyPatch, **limits: str) -> Iterator[httpx.Client]:
    for name, value in limits.items():
        monkeypatch.setenv(f"COLT_{name}", value)
    forget_settings()
    with serving(app) as client:
        yield client


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)


def read_to_end(connection: socket.socket) -> bytes:
    answer = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(10_000):
            answer += part
    return bytes(answer)


def refusal(answer: bytes, status: int) -> Mapping[str, str]:
    """The headers of a refusal, after which the connection was closed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.startswith(f"HTTP/1.1 {status} "), answer
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert json.loads(body)["status"] == status
    return headers


@pytest.mark.parametrize("first", [b"", b"GET", HEAD, HEAD + b"\r\n" + HEAD])
def test_headers_that_do_not_come_end_the_connection(
    home: Path, app: FastAPI, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Those of a first request, and of a later one on the same connection."""
    with limited(app, monkeypatch, HEADER_SECONDS="0.4") as client, connect(client) as connection:
        connection.sendall(first)
        answer = bytearray()
        if first.endswith(HEAD) and first != HEAD:
            while b"ok" not in answer:
                answer = answer + connection.recv(10_000)
            connection.sendall(b"X-More: 1\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for number in range(8 if first else 0):  # never silent for as long as it may be, nor through
                time.sleep(0.1)
                connection.sendall(b"X-%d: 1\r\n" % number)
        answered = read_to_end(connection)
        if first:
            refusal(answered, 408)
        else:  # a browser's connection for later: there is nothing to answer
            assert answered == b""


def test_a_request_whose_headers_came_may_take_its_time(
    home: Path, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    with limited(app, monkeypatch, HEADER_SECONDS="0.2") as client, connect(client) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)  # between two requests another limit holds
        connection.sendall(
            b"POST /api/v1/uploads?filename=a.zip HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n"
        )
        for _ in range(8):
            time.sleep(0.1)
            connection.sendall(b"x")
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        answers = read_to_end(connection)
    assert b"HTTP/1.1 201" in answers and answers.count(b"HTTP/1.1 200") == 1


def test_one_address_has_only_some_of_the_connections(
    home: Path, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    with limited(app, monkeypatch, MAX_CONNECTIONS_PER_ADDRESS="3") as client, ExitStack() as held:
        idle = [held.enter_context(connect(client)) for _ in range(3)]
        with connect(client) as another:
            assert int(refusal(read_to_end(another), 503)["retry-after"]) > 0
        idle[0].close()
        wait_until(lambda: serves(client), 10, "its place is free")


def test_a_trusted_proxy_has_all_of_them(home: Path, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"MAX_CONNECTIONS_PER_ADDRESS": "2", "MAX_CONNECTIONS": "4", "TRUSTED_PROXIES": "127.0.0.1"}
    with limited(app, monkeypatch, **limits) as client, ExitStack() as held:
        for _ in range(3):
            held.enter_context(connect(client))
        with connect(client) as fourth, connect(client) as fifth:
            fourth.sendall(HEAD + b"\r\n")
            assert fourth.recv(10_000).startswith(b"HTTP/1.1 200")
            refusal(read_to_end(fifth), 503)


def serves(client: httpx.Client) -> bool:
    with connect(client) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        return read_to_end(connection).startswith(b"HTTP/1.1 200")
