"""Scores of unseen images over HTTP: what can be asked, which round scores, and what is kept."""

from __future__ import annotations

import io
import threading
import zipfile
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from colt_core.config import PretrainConfig
from store import leases
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Job, Score, Upload, utc_now
from store.repositories import recording, scores
from store.settings import get_settings
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.processes import wait_until
from tests.support.results import POOL_SIZE, Rows
from worker import outcome

API = "/api/v1"
COLT = PretrainConfig.resolve({"preset": "digits", "batch_size": 4, "sample_budget": 2, "num_clusters": 2}).model_dump(
    mode="json"
)


@pytest.fixture
def job(rows: Rows) -> Job:
    """It has had rounds after 100 and 200 steps."""
    job = rows.job(rows.dataset(), rows.pool(), config=COLT, sampler="colt")
    for number in (1, 2):
        rows.sampling_round(job, number, [-0.5] * POOL_SIZE, [0] * POOL_SIZE, [0] * POOL_SIZE)
    return job


def upload(client: TestClient) -> str:
    answer = client.post(f"{API}/uploads", params={"filename": "a.npz"}, content=b"some images")
    return str(answer.json()["id"])


def ask(client: TestClient, job_id: str, upload_id: str | None = None, **body: Any) -> Any:
    wanted = {"upload_id": upload_id or upload(client), **body}
    return client.post(f"{API}/jobs/{job_id}/ood-tailness/score", json=wanted, params={"wait": 0})


def test_the_last_round_whose_weights_are_kept_scores(client: TestClient, rows: Rows, job: Job) -> None:
    rows.checkpoint(job, 300)  # of no round, as jobs of earlier versions have them alone
    shown = ask(client, job.id)
    assert shown.status_code == 202
    assert (shown.json()["epoch"], shown.json()["round"], shown.json()["status"]) == (300, None, "queued")
    for steps, number in ((100, 1), (200, 2)):
        checkpoint = rows.checkpoint(job, steps)
        shown = ask(client, job.id).json()
        assert (shown["checkpoint_id"], shown["epoch"], shown["round"]) == (checkpoint.id, steps, number)
    rows.checkpoint(job, 400)
    assert ask(client, job.id).json()["round"] == 2
    with writing() as session:
        recording.drop_old_checkpoints(session, job.id, 1)
        for row in session.query(Score):
            session.delete(row)
    with writing() as session:  # those of scores are kept for their sake
        recording.drop_old_checkpoints(session, job.id, 1)
        assert [row.step for row in recording.checkpoints(session, job.id)] == [400, 200]


def test_what_cannot_be_scored_is_refused_with_the_reason(
    client: TestClient, rows: Rows, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem(ask(client, "none"), 404)
    assert "no sampling rounds" in problem(ask(client, rows.job().id), 422)["errors"][0]["detail"]
    early = rows.job(config=COLT, sampler="colt")
    assert "no sampling round yet" in problem(ask(client, early.id), 409)["detail"]
    assert "no checkpoint yet" in problem(ask(client, job.id), 409)["detail"]
    rows.checkpoint(job, 200)
    assert pointers(ask(client, job.id, "none")) == ["/upload_id"]
    assert pointers(ask(client, job.id, keep_upload="yes")) == ["/keep_upload"]
    monkeypatch.setenv("COLT_SCORE_MAX_BYTES", "10")
    get_settings.cache_clear()
    assert "at most 10 are scored at once" in problem(ask(client, job.id), 413)["detail"]


def send(client: TestClient, job_id: str, **body: Any) -> Any:
    return client.post(f"{API}/jobs/{job_id}/ood-tailness/score", params={"wait": 0, "nearest": 1}, **body)


def stored(url: str) -> bytes:
    """The upload of a score."""
    with reading() as session:
        row = session.get_one(Score, url.rsplit("/", 1)[1])
        assert row.nearest == 1 and not row.config["keep_upload"]
        upload = session.get_one(Upload, row.upload_id)
    with get_artifacts().open(upload.artifact) as file:
        return file.read()


def test_images_can_be_sent_in_the_request(client: TestClient, rows: Rows, job: Job) -> None:
    rows.checkpoint(job, 200)
    large = bytes(range(256)) * 10_000  # arrives in several pieces
    form = [("image", ("b.png", large)), ("other", ("folder/a.JPG", b"small"))]
    answer = send(client, job.id, files=form)
    assert answer.status_code == 202, answer.text
    with zipfile.ZipFile(io.BytesIO(stored(answer.headers["location"]))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"b.png": large, "a.JPG": b"small"}

    file = io.BytesIO()
    np.savez(file, images=np.zeros((1, 8, 8, 3), np.uint8))
    for sent in ({"content": file.getvalue()}, {"files": {"any": ("c.npz", file.getvalue())}}):
        if "content" in sent:
            sent["headers"] = {"Content-Type": "application/x-www-form-urlencoded"}  # curl's default
        answer = send(client, job.id, **sent)
        assert answer.status_code == 202 and stored(answer.headers["location"]) == file.getvalue()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"content": b"GIF89a", "headers": {"Content-Type": "image/gif"}}, 415, "-F image=@a.png"),
        ({"files": {"x": ("a.txt", b"x")}}, 422, "'a.txt' is no image"),
        ({"files": [("x", ("a.png", b"x")), ("y", ("in/a.png", b"y"))]}, 422, "two files are named 'a.png'"),
        ({"files": [("x", ("a.zip", b"x")), ("y", ("a.png", b"y"))]}, 422, "beside 'a.zip' the form has more"),
        ({"files": {"x": ("a.png", b"x")}, "data": {"nearest": "3"}}, 422, "?nearest=3"),
        ({"files": {"x": (".hidden.png", b"x")}}, 422, "visible name"),
        ({"files": [("x", (f"{number}.png", b"x")) for number in range(4)]}, 413, "more than 3 parts"),
        ({"files": {"x": ("a.png", bytes(2000))}}, 413, "More than 1000 bytes"),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422, "the form"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "the form"),
    ],
)
def test_what_is_sent_wrongly_is_refused_and_not_kept(
    client: TestClient, rows: Rows, job: Job, monkeypatch: pytest.MonkeyPatch, body: Any, status: int, told: str
) -> None:
    rows.checkpoint(job, 200)
    monkeypatch.setenv("COLT_SCORE_MAX_IMAGES", "3")
    monkeypatch.setenv("COLT_SCORE_MAX_BYTES", "1000")
    get_settings.cache_clear()
    assert told in str(problem(send(client, job.id, **body), status))
    assert client.get(f"{API}/uploads").json()["items"] == []


def test_images_that_cannot_be_scored_now_are_not_kept(client: TestClient, job: Job) -> None:
    form = {"image": ("a.png", b"x")}
    assert "no checkpoint yet" in problem(send(client, job.id, files=form), 409)["detail"]
    assert problem(send(client, "none", files=form), 404)
    refused = client.post(f"{API}/jobs/{job.id}/ood-tailness/score", params={"nearest": 99}, files=form)
    assert pointers(refused) == ["?nearest"]
    assert client.get(f"{API}/uploads").json()["items"] == []


def test_an_upload_stays_until_it_is_scored_and_then_goes(client: TestClient, rows: Rows, job: Job) -> None:
    rows.checkpoint(job, 200)
    shared, kept = upload(client), upload(client)
    first, second, third = (
        ask(client, job.id, name, keep_upload=name == kept).headers["location"] for name in (shared, shared, kept)
    )
    problem(client.delete(f"{API}/uploads/{shared}"), 409)
    assert client.get(f"{API}/uploads/{shared}").json()["in_use"]

    leftovers = []
    for _ in range(2):
        with writing() as session:
            lease = leases.claim(session, Score, "w", 60)
            assert lease is not None
            row = session.get_one(Score, lease.id)
            row.scores, row.refused = [{"index": 0, "name": "images[0]", "tailness": -0.5}], []
            outcome.succeeded(session, lease)
            leftovers.append(Score.leftovers(row.id, lease.token, row))
    assert leftovers == [None, f"uploads/{shared}"]  # the second was the last that needed it
    assert client.get(f"{API}/uploads/{shared}").status_code == 404
    assert client.get(first).json()["scores"][0]["tailness"] == -0.5

    assert client.post(f"{third}/cancel").json()["status"] == "cancelled"
    assert client.get(f"{API}/uploads/{kept}").status_code == 200
    cancelled = ask(client, job.id).headers["location"]
    client.post(f"{cancelled}/cancel")
    with reading() as session:
        assert [row.id for row in session.query(Upload)] == [kept]
    assert client.delete(second).status_code == 204 and client.get(second).status_code == 404
    events = client.get(f"{API}/jobs/{job.id}").json()
    assert events["status"] == "succeeded"
    with writing() as session:
        scores.remove_ended(session, utc_now())
        assert session.query(Score).count() == 0


def test_an_answer_waits_for_the_scores(client: TestClient, rows: Rows, job: Job, service_engine: Engine) -> None:
    rows.checkpoint(job, 200)

    def work() -> None:
        def claimed() -> leases.Lease | None:
            with writing(service_engine) as session:
                return leases.claim(session, Score, "w", 60)

        for ends_well in (True, False):
            found: list[leases.Lease] = []
            wait_until(lambda: bool(found) or bool([found.append(one) for one in [claimed()] if one]), 60, "one waits")  # noqa: B023
            with writing(service_engine) as session:
                if ends_well:
                    outcome.succeeded(session, found[0])
                else:
                    outcome.failed(session, found[0], "no image can be read")

    worker = threading.Thread(target=work)
    worker.start()
    path = f"{API}/jobs/{job.id}/ood-tailness/score"
    done = client.post(path, json={"upload_id": upload(client)}, params={"wait": 30})
    assert (done.status_code, done.json()["status"]) == (200, "succeeded")
    refused = client.post(path, json={"upload_id": upload(client)}, params={"wait": 30})
    assert "no image can be read" in str(problem(refused, 422)["errors"]) and pointers(refused) == ["/upload_id"]
    worker.join()
