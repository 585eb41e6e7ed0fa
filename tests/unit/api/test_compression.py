"""Answers are compressed for clients that accept it, and stay as they are where that would harm."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from tests.support.results import Rows

API = "/api/v1"


def test_json_is_compressed_where_it_is_accepted(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    rows.metric(job, "loss", [0.5] * 500)
    url = f"{API}/jobs/{job.id}/metrics"
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) * 3 < int(plain.headers["content-length"])
    assert {answer.headers["vary"] for answer in (packed, plain)} == {"Accept-Encoding"}


def test_files_of_the_dashboard_are_compressed_and_known_again(home: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<!doctype html>")
    (build / "assets" / "a.js").write_text("let a = 1;" * 500)
    with TestClient(create_app(build, tmp_path), base_url="http://localhost") as client:
        answer = client.get("/assets/a.js")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["etag"].startswith('W/"')
        again = client.get("/assets/a.js", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("part", ["", "bytes=0-99"])
def test_images_and_parts_stay_as_they_are(client: TestClient, rows: Rows, part: str) -> None:
    job = rows.job()
    rows.event(job, "log", lines=["a line"] * 200)
    if part:
        answer = client.get(f"{API}/jobs/{job.id}/log", headers={"Range": part})
        assert (answer.status_code, len(answer.content)) == (206, 100)
        assert not answer.headers["etag"].startswith("W/")
    else:
        answer = client.get(f"{API}/datasets/{job.dataset_id}/samples/0/image")
        assert answer.headers["content-type"] == "image/png"
    assert "content-encoding" not in answer.headers


def test_an_event_stream_is_not_held_back(server: httpx.Client, rows: Rows) -> None:
    job = rows.job(status="running")
    with server.stream("GET", f"{API}/jobs/{job.id}/events", headers={"Accept-Encoding": "gzip"}) as response:
        assert "content-encoding" not in response.headers
        assert next(response.iter_lines()).startswith("event: status")
