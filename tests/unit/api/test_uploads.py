"""Uploads are listed, expire, have a quota, and leave places for others."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import select
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.http.errors import NoRoom, TooSlow
from api.uploads import places, service
from api.uploads.pace import Pace, paced
from store.database import writing
from store.models import Upload, utc_now
from store.repositories import tokens
from tests.support.files import files_under
from tests.support.problems import pointers, problem
from tests.support.processes import wait_until
from tests.support.settings import forget_settings
from worker.folder import WorkerFolder
from worker.sweeper import Sweeper

API = "/api/v1"
UPLOADS = f"{API}/uploads"
WEEK = dt.timedelta(days=7)


def upload(client: TestClient, name: str = "a.zip", content: bytes = b"x") -> str:
    answer = client.post(UPLOADS, params={"filename": name}, content=content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def stored_long_ago(upload_id: str, age: dt.timedelta) -> None:
    with writing() as session:
        row = session.get_one(Upload, upload_id)
        row.created_at -= age
        if row.used_at is not None:
            row.used_at -= age


def sweep(home: Path) -> None:
    Sweeper(WorkerFolder(home, "me")).once()


def setting(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"COLT_{name}", value)
    forget_settings()


def test_uploads_are_listed_and_shown(client: TestClient) -> None:
    ids = [upload(client, f"{name}.zip", b"x" * 3) for name in "abc"]
    page = client.get(UPLOADS, params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    rest = client.get(UPLOADS, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in rest["items"]] == [ids[0]] and rest["next_cursor"] is None
    shown = client.get(f"{UPLOADS}/{ids[0]}").json()
    assert shown == rest["items"][0]
    assert (shown["filename"], shown["bytes"], shown["used_at"], shown["in_use"]) == ("a.zip", 3, None, False)
    sent, ends = (dt.datetime.fromisoformat(shown[name]) for name in ("created_at", "expires_at"))
    assert ends - sent == WEEK
    assert pointers(client.get(UPLOADS, params={"cursor": "x"})) == ["?cursor"]
    problem(client.get(f"{UPLOADS}/nothing"), 404)


def test_an_upload_that_nobody_uses_expires(client: TestClient, home: Path) -> None:
    old, young = upload(client), upload(client)
    stored_long_ago(old, WEEK)
    stored_long_ago(young, WEEK - dt.timedelta(minutes=5))
    sweep(home)
    assert [item["id"] for item in client.get(UPLOADS).json()["items"]] == [young]
    assert files_under(home / "artifacts" / "uploads") == [home / "artifacts" / "uploads" / young / "a.zip"]


def test_an_upload_that_is_read_does_not_expire_and_one_that_was_stays_for_as_long_again(
    client: TestClient, home: Path
) -> None:
    images, indices = upload(client), upload(client, "indices.txt", content=b"0\n1\n")
    stored_long_ago(images, 2 * WEEK)
    body = {"name": "d", "source": {"kind": "upload", "upload_id": images}}
    cut = {"profile": "indices", "upload_id": indices}
    address = client.post(f"{API}/datasets", json=body | {"long_tail": cut}).headers["location"]
    shown = client.get(f"{UPLOADS}/{images}").json()
    assert shown["in_use"] and dt.datetime.fromisoformat(shown["expires_at"]) > utc_now() + WEEK - WEEK / 7

    for upload_id in (images, indices):
        stored_long_ago(upload_id, 2 * WEEK)  # the registration has waited that long
    sweep(home)
    assert {item["id"] for item in client.get(UPLOADS).json()["items"]} == {images, indices}
    assert client.delete(address).status_code == 204
    assert not client.get(f"{UPLOADS}/{images}").json()["in_use"]
    sweep(home)
    assert client.get(UPLOADS).json()["items"] == []
    assert "no such upload" in str(problem(client.post(f"{API}/datasets", json=body), 422)["detail"])


def test_stored_uploads_have_a_quota(client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, UPLOAD_QUOTA_BYTES="1000")
    first = upload(client, content=bytes(700))
    for content in (bytes(301), iter([bytes(200), bytes(200)])):
        told = str(problem(client.post(f"{UPLOADS}?filename=a.zip", content=content), 507)["detail"])
        assert "1000" in told and "DELETE" in told and "7 days" in told
    assert len(files_under(home / "artifacts")) == 1
    problem(client.post(f"{UPLOADS}?filename=a.zip", content=bytes(1001)), 413)  # never fits
    upload(client, content=bytes(300))
    assert client.delete(f"{UPLOADS}/{first}").status_code == 204
    upload(client, content=bytes(700))


def test_no_more_of_a_file_is_read_than_there_is_room_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, UPLOAD_QUOTA_BYTES="1000")
    read = []

    async def send(*sizes: int, announced: int | None = None) -> None:
        async def body() -> AsyncIterator[bytes]:
            for size in sizes:
                read.append(size)
                yield bytes(size)

        await service.receive("a.zip", announced, body(), places.Places(), "me")

    asyncio.run(send(500))
    with pytest.raises(NoRoom):
        asyncio.run(send(300, 201, 202, 203))
    with pytest.raises(NoRoom):
        asyncio.run(send(501, announced=501))
    assert read == [500, 300, 201]
    assert len(files_under(home / "artifacts")) == 1


def test_uploads_in_progress_count(server: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, UPLOAD_QUOTA_BYTES="9000000")
    with begin(server, bytes_=8_000_000):
        wait_until(lambda: len(files_under(home / "artifacts")) == 1, 10, "it has begun")
        problem(server.post(f"{UPLOADS}?filename=a.zip", content=b"x" * 1_000_001), 507)
        assert server.post(f"{UPLOADS}?filename=a.zip", content=b"x" * 1_000_000).status_code == 201


def begin(server: httpx.Client, bytes_: int = 9_000_000, token: str = "") -> socket.socket:
    """A connection on which an upload has begun, and stalls."""
    connection = socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=10)
    head = f"POST {UPLOADS}?filename=a.zip HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bytes_}\r\n"
    authorized = f"Authorization: Bearer {token}\r\n" if token else ""
    connection.sendall(f"{head}{authorized}\r\n".encode() + b"x" * 2_000_000)
    return connection


def test_no_client_takes_all_places(server: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "WAIT_SECONDS", 0.1)
    with writing() as session:
        slow, other = (tokens.create_token(session, name, ["read", "write"]) for name in ("slow", "other"))

    def send(token: str) -> httpx.Response:
        return server.post(f"{UPLOADS}?filename=a.zip", content=b"x", headers={"Authorization": f"Bearer {token}"})

    with ExitStack() as held:
        for _ in range(3):
            last = held.enter_context(begin(server, token=slow))
        wait_until(lambda: len(files_under(home / "artifacts")) == 3, 10, "they have begun")
        refused = send(slow)
        assert "3 of your uploads" in str(problem(refused, 429)["detail"])
        assert int(refused.headers["retry-after"]) > 0
        assert send(other).status_code == 201
        last.close()
        wait_until(lambda: send(slow).status_code == 201, 10, "its place is free")


def test_a_place_that_is_freed_goes_to_who_waits(server: httpx.Client, home: Path) -> None:
    with ExitStack() as held:
        stalled = [held.enter_context(begin(server)) for _ in range(3)]
        wait_until(lambda: len(files_under(home / "artifacts")) == 3, 10, "they have begun")
        with begin(server, 2_000_000) as waiting:
            time.sleep(0.2)
            stalled[0].close()
            assert waiting.recv(10_000).startswith(b"HTTP/1.1 201")


def test_names_that_look_like_others_are_refused(client: TestClient) -> None:
    for name in (
        "gpj\u202e.zip",
        "a\u2066b.zip",
        "a\u200fb.zip",
        "a\nb.zip",
        "a\x7f.zip",
        "a\x85b.zip",
        "a\u2028b.zip",
    ):
        assert pointers(client.post(UPLOADS, params={"filename": name}, content=b"x")) == ["?filename"]
    upload(client, "صور.zip")  # text that runs from right to left needs no such characters


class Source:
    """A body whose pieces come after a wait, by a clock of its own."""

    def __init__(self, *pieces: tuple[float, int]) -> None:
        self.pieces = pieces

    async def stream(self) -> AsyncIterator[bytes]:
        for seconds, count in self.pieces:
            await asyncio.sleep(seconds)
            yield b"x" * count


@pytest.mark.parametrize(
    ("waits", "slow_at"),
    [
        ([(10.0, 1000)] * 9, None),  # just fast enough
        ([(10.0, 990)] * 9, 2),  # and just not
        ([(0.0, 10**6), *[(10.0, 1)] * 4], 3),  # what came at once counts for a while
        ([(25.0, 3000), (5.0, 0), (29.0, 2999)], 2),
        ([(29.0, 1), (0.5, 1)], None),  # the time of grace
        ([(0.001, 10)] * 100_000, None),
    ],
)
def test_an_upload_needs_a_least_rate(waits: list[tuple[float, int]], slow_at: int | None) -> None:
    pace = Pace(100, 30)
    for number, (seconds, count) in enumerate(waits):
        if number == slow_at:
            with pytest.raises(TooSlow, match="100 bytes per second"):
                pace.note(seconds, count)
            return
        pace.note(seconds, count)
    assert slow_at is None
    assert len(pace._recent) <= 11  # however long it takes


def test_only_the_clients_time_counts() -> None:
    async def read() -> int:
        arrived = 0
        async for piece in paced(Source(*[(0.0, 1)] * 5).stream(), Pace(10**6, 0.1)):
            arrived += len(piece)
            await asyncio.sleep(0.05)  # the server is busy
        return arrived

    assert asyncio.run(read()) == 5


def test_a_slow_upload_is_given_up_and_leaves_nothing(
    server: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(monkeypatch, UPLOAD_GRACE_SECONDS="0.3", UPLOAD_LEAST_RATE="100000")
    with begin(server) as connection:
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"x")
        answer = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(10_000):
                answer += part
    assert answer.startswith(b"HTTP/1.1 408") and b"bytes per second" in answer
    wait_until(lambda: files_under(home / "artifacts") == [], 10, "nothing is left")
    assert server.post(f"{UPLOADS}?filename=a.zip", content=b"x").status_code == 201
