"""Uploads in several requests: where they go on, who is refused, and what is left."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.resumable_uploads import service
from store.database import writing
from store.models import UnfinishedUpload
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.files import files_under
from tests.support.problems import pointers, problem
from tests.support.processes import wait_until
from tests.support.settings import forget_settings
from worker.folder import WorkerFolder
from worker.sweeper import Sweeper

API = "/api/v1"
URL = f"{API}/resumable-uploads"
FILE = bytes(range(256)) * 40


def begin(client: httpx.Client, **values: str | int) -> str:
    answer = client.post(URL, json={"filename": "a.zip", "bytes": len(FILE), **values})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def send(client: httpx.Client, address: str, offset: int, content: bytes) -> httpx.Response:
    return client.patch(address, content=content, headers={"Upload-Offset": str(offset)})


def stored(home: Path) -> list[Path]:
    return files_under(home / "artifacts" / "uploads")


def test_a_file_arrives_in_several_requests(client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PART_BYTES", 1000)
    address = begin(client, sha256=hashlib.sha256(FILE).hexdigest())
    first = send(client, address, 0, FILE[:5000])
    assert (first.json()["offset"], first.headers["upload-complete"]) == (5000, "?0")
    wrong = send(client, address, 4999, FILE[4999:])
    assert "5000" in str(problem(wrong, 409)["detail"]) and wrong.headers["upload-offset"] == "5000"
    assert client.head(address).headers["upload-offset"] == "5000"
    problem(send(client, address, 5000, FILE), 413)
    last = send(client, address, 5000, FILE[5000:])
    assert last.json()["complete"] and last.json() == client.get(address).json()
    upload = client.get(address.replace("resumable-uploads", "uploads")).json()
    assert (upload["bytes"], upload["sha256"]) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    (file,) = stored(home)
    assert (file.name, file.read_bytes()) == ("a.zip", FILE)
    # The answer to the last request may have been lost.
    assert send(client, address, len(FILE), b"").json()["complete"]


def test_what_arrived_before_the_connection_broke_is_kept(server: httpx.Client, home: Path) -> None:
    address = begin(server, bytes=3 * 2**20)
    content = bytes(2**20) + bytes([1]) * 2 * 2**20

    def broken() -> Iterator[bytes]:
        yield content[: 2**20 + 2**19]
        wait_until(lambda: any(path.name.endswith(".partial") for path in stored(home)), 30, "a part is written")
        raise ConnectionError

    with contextlib.suppress(ConnectionError):
        server.patch(address, content=broken(), headers={"Upload-Offset": "0"})
    wait_until(lambda: server.get(address).json()["offset"] > 0, 30, "it is kept")
    offset = server.get(address).json()["offset"]
    assert offset >= 2**20
    assert send(server, address, offset, content[offset:]).json()["complete"]
    (file,) = stored(home)
    assert file.read_bytes() == content


def test_of_two_writers_at_one_offset_one_is_refused_and_nothing_is_lost(server: httpx.Client, home: Path) -> None:
    address, other_is_done = begin(server), threading.Event()
    answers: list[httpx.Response] = []

    def slow() -> Iterator[bytes]:
        yield FILE[:100]
        other_is_done.wait(30)
        yield FILE[100:3000]

    def write() -> None:
        with httpx.Client(base_url=server.base_url) as another:
            answers.append(another.patch(address, content=slow(), headers={"Upload-Offset": "0"}, timeout=60))

    writer = threading.Thread(target=write)
    writer.start()
    assert send(server, address, 0, FILE[:4000]).json()["offset"] == 4000
    other_is_done.set()
    writer.join(60)
    assert problem(answers[0], 409) and answers[0].headers["upload-offset"] == "4000"
    assert send(server, address, 4000, FILE[4000:]).json()["complete"]
    (file,) = stored(home)
    assert file.read_bytes() == FILE


def test_what_is_refused_leaves_nothing(client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pointers(client.post(URL, json={"filename": "../a.zip", "bytes": 1})) == ["/filename"]
    assert pointers(client.post(URL, json={"filename": "a.zip", "bytes": 0})) == ["/bytes"]
    address = begin(client, sha256="0" * 64)
    assert "sha256" in send(client, address, 0, FILE).text
    problem(client.get(address), 404)
    problem(send(client, address, 0, FILE), 404)
    address = begin(client)
    send(client, address, 0, FILE[:10])
    assert client.delete(address).status_code == 204
    problem(client.get(address), 404)
    assert stored(home) == []
    monkeypatch.setenv("COLT_UPLOAD_QUOTA_BYTES", str(len(FILE) + 1000))
    forget_settings()
    first, second = begin(client), begin(client)
    assert send(client, first, 0, FILE[:5000]).status_code == 200
    problem(send(client, second, 0, FILE), 507)
    problem(client.post(URL, json={"filename": "a.zip", "bytes": len(FILE)}), 507)
    assert client.get(second).json()["offset"] == 0


def test_an_unfinished_upload_expires_and_until_then_it_stays(client: TestClient, home: Path) -> None:
    address = begin(client)
    send(client, address, 0, FILE[:5000])

    def arrived_ago(age: dt.timedelta) -> None:
        with writing() as session:
            session.get_one(UnfinishedUpload, address.rpartition("/")[2]).touched_at -= age
        Sweeper(WorkerFolder(home, "me")).once()

    arrived_ago(dt.timedelta(days=6))
    assert client.get(address).json()["offset"] == 5000 and stored(home)
    arrived_ago(dt.timedelta(days=2))
    problem(client.get(address), 404)
    assert stored(home) == []
