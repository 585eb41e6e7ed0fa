"""Tests that need real connections: aborted uploads, and many clients at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from api.main import create_app
from store import leases
from store.database import reading, writing
from store.models import Job, Upload
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.files import files_under
from tests.support.results import Rows
from tests.support.serving import serving

API = "/api/v1"


def test_an_aborted_upload_leaves_nothing(server: httpx.Client, home: Path) -> None:
    address = (server.base_url.host, server.base_url.port or 80)
    head = f"POST {API}/uploads?filename=a.zip HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(head.encode() + b"x" * 3_000_000)
        until = time.monotonic() + 10
        while not files_under(home / "artifacts"):  # it has begun to be stored
            assert time.monotonic() < until
            time.sleep(0.01)
    until = time.monotonic() + 10
    while files_under(home / "artifacts"):
        assert time.monotonic() < until
        time.sleep(0.01)
    with reading() as session:
        assert session.query(Upload).count() == 0
    assert server.post(f"{API}/uploads?filename=a.zip", content=b"x").status_code == 201


def patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again after a 503, when it says so. SQLite lets one writer of many wait for long."""
    while (answer := ask()).status_code == 503:
        time.sleep(float(answer.headers["retry-after"]))
    return answer


def test_many_clients_at_once_lose_nothing(server: httpx.Client, rows: Rows) -> None:
    def register(number: int) -> int:
        body = {"name": f"d{number}", "source": {"kind": "sample", "name": "digits"}}
        created = patiently(lambda: server.post(f"{API}/datasets", json=body))
        assert server.get(created.headers["location"]).json()["name"] == f"d{number}"  # committed before answered
        return created.status_code

    with ThreadPoolExecutor(16) as clients:
        assert set(clients.map(register, range(64))) == {202}
    names = {item["name"] for item in server.get(f"{API}/datasets?limit=1000").json()["items"]}
    assert names == {f"d{number}" for number in range(64)}


def test_a_job_is_cancelled_or_claimed_but_not_both(server: httpx.Client, rows: Rows) -> None:
    dataset = rows.dataset()
    ids = [rows.job(dataset, status="queued").id for _ in range(12)]

    def cancel(job_id: str) -> int:
        return patiently(lambda: server.post(f"{API}/jobs/{job_id}/cancel")).status_code

    def claim(_: str) -> str | None:
        with writing() as session:
            lease = leases.claim(session, Job, "worker", 30)
        return lease and lease.id

    with ThreadPoolExecutor(12) as clients:
        cancels = [clients.submit(cancel, job_id) for job_id in ids]
        claims = [clients.submit(claim, job_id) for job_id in ids]
        assert {future.result() for future in cancels} == {202}
        claimed = {future.result() for future in claims} - {None}
    for job in server.get(f"{API}/jobs").json()["items"]:
        assert job["status"] == ("cancelling" if job["id"] in claimed else "cancelled")
    again = [cancel(job_id) for job_id in ids]
    assert set(again) == {409}


def test_no_address_leads_out_of_the_dashboard(home: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<title>dashboard</title>")
    (tmp_path / "secret.txt").write_text("secret")
    (build / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    with serving(create_app(dashboard=build)) as client:
        address = (client.base_url.host, client.base_url.port or 80)
        for up in ("..", "%2e%2e", "..%2f..", "%252e%252e", "..\\..", "..;", "assets/..%5c..", "assets/%2e%2e/.."):
            # By hand, as a client of good manners would tidy the address up.
            with socket.create_connection(address) as connection:
                connection.sendall(f"GET /{up}/secret.txt HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                answer = connection.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 4"), (up, answer)
            assert b"\r\n\r\nsecret" not in answer
        assert client.get("/assets/link.txt").status_code == 404
