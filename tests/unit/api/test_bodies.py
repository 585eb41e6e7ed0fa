"""Bodies that arrive late or never, or are made to be slow to read. Their requests are written by
hand."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from api.access.wrong_tokens import MOST_WRONG
from api.http import body_limit
from api.http.body_limit import MOST_PARTS
from api.uploads import places
from store.database import get_engine, reading, writing
from store.models import Upload
from store.repositories import tokens
from tests.support.files import files_under
from tests.support.problems import problem

API = "/api/v1"
UPLOAD = f"{API}/uploads?filename=a.zip"
JSON = {"Content-Type": "application/json"}


def token(*scopes: str) -> str:
    with writing() as session:
        return tokens.create_token(session, "test", scopes)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def announce(server: httpx.Client, path: str, **headers: str) -> socket.socket:
    """A connection whose request announces a body and sends none. It announces 9 MB, or
    `Content_Length`."""
    connection = socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=10)
    lines = {"Host": "localhost", "Content-Length": "9000000"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
    return connection


def last_answer(connection: socket.socket) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and problem of the answer after which the server closes the connection."""
    answer = bytearray()
    with contextlib.suppress(ConnectionResetError):  # how a close looks to who was sending just then
        while part := connection.recv(10_000):
            answer += part
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    return int(status.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("path", [f"{API}/jobs", f"{API}/datasets", f"{API}/jobs/x/cancel", UPLOAD])
def test_the_token_is_looked_at_before_the_body_has_come(server: httpx.Client, path: str) -> None:
    read = token("read")
    as_json = {"Content_Type": "application/json", "Content_Length": "100"}
    with announce(server, path, **as_json) as connection:
        assert last_answer(connection)[0] == 401
    with announce(server, path, **as_json, **bearer(read)) as connection:
        assert last_answer(connection)[0] == 403
    for number in range(MOST_WRONG):
        server.get(f"{API}/jobs", headers=bearer(f"wrong {number}"))
    with announce(server, path, **as_json, **bearer("another")) as connection:
        assert last_answer(connection)[0] == 429


def test_any_refusal_before_the_body_closes_the_connection(server: httpx.Client) -> None:
    for path, headers, expected in [
        (f"{API}/nothing", {"Content_Length": "100"}, 404),
        (f"{API}/jobs/x", {"Content_Length": "100"}, 405),
        (f"{API}/jobs", {"Host": "evil.example"}, 400),
        (f"{API}/jobs", {"Origin": "http://evil.example"}, 403),
        (f"{API}/jobs", {}, 413),
        (f"{API}/uploads?filename=a.exe", {}, 422),
        (UPLOAD, {"Content_Type": "multipart/form-data"}, 415),
    ]:
        with announce(server, path, **headers) as connection:
            assert last_answer(connection)[0] == expected, path


def test_a_connection_whose_body_was_read_is_kept(server: httpx.Client) -> None:
    for path in (f"{API}/jobs", f"{API}/session"):
        assert "connection" not in server.post(path, json={}).headers
    assert "connection" not in server.post(UPLOAD, content=b"x").headers
    assert "connection" not in server.get(f"{API}/nothing").headers


def test_the_token_is_looked_up_once(client: TestClient) -> None:
    headers = bearer(token("read", "write"))
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(get_engine(), "before_cursor_execute", note)
    assert client.post(f"{API}/jobs", json={}, headers=headers).status_code == 422
    assert client.get(f"{API}/workers", headers=headers).status_code == 200
    assert sum("FROM api_token" in statement for statement in statements) == 2


def test_a_body_that_does_not_come_whole_in_time_is_given_up(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "MOST_SECONDS", 0.3)
    for path in (f"{API}/jobs", f"{API}/session"):
        with announce(server, path, Content_Type="application/json", Content_Length="4000") as connection:
            for _ in range(300):  # never silent, nor through
                if select.select([connection], [], [], 0.03)[0]:
                    break
                connection.sendall(b" ")
            status, _, told = last_answer(connection)
        assert (status, told["detail"]) == (408, "The body did not arrive completely within 0.3 s. Send it again.")


def test_an_upload_that_stalls_is_given_up_and_leaves_nothing(
    server: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "MOST_SECONDS", 0.3)
    with announce(server, UPLOAD) as connection:
        connection.sendall(b"x" * 3_000_000)
        status, _, told = last_answer(connection)
    assert status == 408
    assert "No more of the file arrived for 0.3 s" in told["detail"]
    assert files_under(home / "artifacts") == []
    with reading() as session:
        assert session.query(Upload).count() == 0
    assert server.post(UPLOAD, content=b"x").status_code == 201


def test_a_slow_upload_may_take_its_time(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "MOST_SECONDS", 4.0)
    began, sent = time.monotonic(), 0
    as_it_comes = {"Transfer_Encoding": "chunked", "Content_Length": "", "Connection": "close"}
    with announce(server, UPLOAD, **as_it_comes) as connection:
        while time.monotonic() - began < 5:  # far less than a block of the store
            connection.sendall(b"1\r\nx\r\n")
            sent += 1
            time.sleep(0.1)
        connection.sendall(b"0\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 201") and f'"bytes":{sent}'.encode() in answer


def test_an_upload_does_not_wait_for_ever_for_others(
    server: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(places, "WAIT_SECONDS", 0.1)
    with announce(server, UPLOAD) as one, announce(server, UPLOAD) as other:
        for stalled in (one, other):
            stalled.sendall(b"x" * 3_000_000)
        wait_until_stored(home, 2)
        with announce(server, UPLOAD) as third:
            status, headers, told = last_answer(third)
        assert (status, headers["retry-after"]) == (503, "10")
        assert "uploads are in progress" in told["detail"]
        assert server.get(f"{API}/jobs").status_code == 200
    wait_until_stored(home, 0)
    monkeypatch.setattr(places, "WAIT_SECONDS", 10)
    for _ in range(3):
        assert server.post(UPLOAD, content=b"x").status_code == 201


def test_a_body_of_very_many_parts_is_refused_before_it_is_parsed(client: TestClient) -> None:
    many: list[Any] = [
        {f"key{number}": 0 for number in range(MOST_PARTS)},
        {"dataset_id": "x", "config": {f"key{number}": 0 for number in range(MOST_PARTS)}},
        {"dataset_id": "x", "tags": [[] for _ in range(MOST_PARTS)]},
        {"dataset_id": "x", "tags": [{} for _ in range(MOST_PARTS)]},
    ]
    for body in many:
        assert "parts" in str(problem(client.post(f"{API}/jobs", json=body), 413)["detail"])
    deep = "[" * 100_000 + "]" * 100_000
    problem(client.post(f"{API}/jobs", content=deep, headers=JSON), 413)
    problem(client.post(f"{API}/jobs", content=deep), 415)
    cut = {"profile": "indices", "indices": list(range(10_000))}
    long = {"name": "x", "source": {"kind": "sample", "name": "digits"}, "long_tail": cut}
    assert client.post(f"{API}/datasets", json=long).status_code == 202


def wait_until_stored(home: Path, count: int) -> None:
    until = time.monotonic() + 10
    while len(files_under(home / "artifacts")) != count:
        assert time.monotonic() < until
        time.sleep(0.01)
