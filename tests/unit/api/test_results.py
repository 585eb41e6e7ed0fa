"""Evaluations and checkpoints over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from colt_core.config import PretrainConfig
from store import leases
from store.artifacts import get_artifacts
from store.database import writing
from store.models import Dataset, Evaluation
from store.repositories import recording
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.support.settings import forget_settings

API = "/api/v1"
STATE = bytes(range(256)) * 40  # 10,240 bytes


def test_another_probe_of_the_last_checkpoint(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    url = f"{API}/jobs/{job.id}/evaluations"
    assert "checkpoint" in str(problem(client.post(url, json={"kind": "knn"}), 409)["detail"])
    rows.checkpoint(job, 1)
    last = rows.checkpoint(job, 2)
    answer = client.post(url, json={"kind": "knn", "neighbors": 3})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    shown = client.get(answer.headers["location"]).json()
    assert (shown["kind"], shown["checkpoint_id"], shown["epoch"], shown["accuracy"]) == ("knn", last.id, 2, None)
    assert shown["config"]["neighbors"] == 3
    assert client.get(url).json()["items"] == [shown]
    with writing() as session:
        assert leases.claim(session, Evaluation, "worker", 30) == leases.Lease(
            Evaluation, shown["id"], session.get(Evaluation, shown["id"]).lease_token
        )
    problem(client.get(f"{API}/evaluations/nothing"), 404)


def test_a_probe_groups_by_the_jobs_thresholds_unless_it_has_its_own(client: TestClient, rows: Rows) -> None:
    thresholds = {"low": 20, "high": 100}
    config = PretrainConfig.resolve({"preset": "digits", "sampler": "none", "group_thresholds": thresholds})
    job = rows.job(config=config.model_dump(mode="json"))
    rows.checkpoint(job, 1)
    own = {"low": 2, "high": 5}
    for body, expected in (({}, thresholds), ({"group_thresholds": own}, own)):
        answer = client.post(f"{API}/jobs/{job.id}/evaluations", json={"kind": "knn", **body})
        assert client.get(answer.headers["location"]).json()["config"]["group_thresholds"] == expected


def test_probes_are_checked(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    job, other = rows.job(dataset), rows.job(dataset)
    rows.checkpoint(job, 1)
    foreign = rows.checkpoint(other, 1)
    url = f"{API}/jobs/{job.id}/evaluations"
    for body, where in (
        ({"kind": "quadratic"}, "/kind"),
        ({"kind": "knn", "neighbors": 0}, "/neighbors"),
        ({"kind": "knn", "k": 3}, "/k"),
        ({"kind": "few_shot", "shots": 50}, "/shots"),
        ({"kind": "knn", "checkpoint_id": foreign.id}, "/checkpoint_id"),
        ({"kind": "knn", "checkpoint_id": "nothing"}, "/checkpoint_id"),
    ):
        assert pointers(client.post(url, json=body)) == [where], body
    assert client.get(url).json()["items"] == []


def test_a_finished_probe_shows_what_it_found(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 5)
    found = {
        "accuracy": 0.7,
        "balanced_accuracy": 0.6,
        "per_class_accuracy": [0.9, 0.7, 0.2],
        "group_accuracy": {"many": 0.9, "medium": 0.7, "few": 0.2},
        "group_std": 0.294,
        "class_counts": [6, 3, 1],
        "test_counts": [4, 4, 4],
    }
    fit = {
        "probe": {"images": 12, "images_per_class": [5, 5, 2], "shots": None},
        "warnings": [{"code": "few_probe_images", "detail": "Class 'owl' has few.", "count": 1, "examples": ["owl"]}],
    }
    with writing() as session:
        for kind, columns in (("linear", found | fit), ("knn", found)):  # the second one as an earlier version left it
            session.add(
                Evaluation(
                    job_id=job.id,
                    checkpoint_id=checkpoint.id,
                    kind=kind,
                    config={"kind": kind},
                    status="succeeded",
                    epoch=5,
                    **columns,
                )
            )
    items = client.get(f"{API}/jobs/{job.id}/evaluations").json()["items"]
    shown, earlier = sorted(items, key=lambda item: str(item["kind"]), reverse=True)
    assert {key: shown[key] for key in found | fit} == found | fit
    assert (shown["kind"], shown["checkpoint_id"], shown["epoch"]) == ("linear", checkpoint.id, 5)
    assert {key: earlier[key] for key in found | fit} == found | dict.fromkeys(fit)


def test_shots_are_compared_with_the_probe_images_of_each_class(client: TestClient, rows: Rows) -> None:
    """A rare class gives what it has, and shots that no class has are refused."""
    job = rows.job()
    rows.checkpoint(job, 1)
    url = f"{API}/jobs/{job.id}/evaluations"
    assert pointers(client.post(url, json={"kind": "few_shot", "shots": 5})) == ["/shots"]
    assert client.post(url, json={"kind": "few_shot", "shots": 4}).status_code == 202
    for counts, shots, where in (([10, 4, 1], 8, None), ([10, 4, 1], 9, "/shots"), ([15, 0, 0], 2, "/kind")):
        with writing() as session:
            session.get_one(Dataset, job.dataset_id).probe_counts = counts
        answer = client.post(url, json={"kind": "few_shot", "shots": shots})
        assert (answer.status_code, where and pointers(answer)) == (422 if where else 202, where and [where]), counts


def test_checkpoints_are_listed_newest_first(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    made = [rows.checkpoint(job, epoch).id for epoch in (1, 2, 3)]
    page = client.get(f"{API}/jobs/{job.id}/checkpoints", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [made[2], made[1]]
    assert page["items"][0]["sha256"] == hashlib.sha256(b"state").hexdigest()


@pytest.fixture(params=["folder", "memory"])
def download(request: pytest.FixtureRequest, client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a stored checkpoint, once with its files in a folder, once in a store that is
    no file system."""
    if request.param == "memory":
        monkeypatch.setenv("COLT_ARTIFACTS_URL", "memory://downloads")
        forget_settings()
    job = rows.job(name='My "run" / 1\n')
    return f"{API}/checkpoints/{rows.checkpoint(job, 5, STATE, b'safe').id}/download"


def test_download_whole(client: TestClient, download: str) -> None:
    answer = client.get(download)
    assert answer.content == STATE
    assert answer.headers["content-length"] == str(len(STATE))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{hashlib.sha256(STATE).hexdigest()}"'
    assert answer.headers["content-disposition"] == 'attachment; filename="My-run-1-epoch5.pt"'
    backbone = client.get(download, params={"format": "backbone"})
    assert backbone.content == b"safe"
    assert backbone.headers["content-disposition"].endswith('epoch5.safetensors"')
    assert backbone.headers["etag"] != answer.headers["etag"]
    assert pointers(client.get(download, params={"format": "tflite"})) == ["?format"]


def test_download_in_parts(client: TestClient, download: str) -> None:
    size = len(STATE)
    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=10000-", 10_000, size),
        ("bytes=-40", size - 40, size),
        ("bytes=-99999", 0, size),
        ("bytes=10239-99999", size - 1, size),
    ):
        answer = client.get(download, headers={"Range": asked})
        assert answer.status_code == 206, asked
        assert answer.content == STATE[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
    for asked in ("bytes=10240-", "bytes=99999-", "bytes=-0"):
        answer = client.get(download, headers={"Range": asked})
        problem(answer, 416)
        assert answer.headers["content-range"] == f"bytes */{size}"
    for asked in ("bytes=5-1", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        answer = client.get(download, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, size), asked


def test_download_on_condition(client: TestClient, download: str) -> None:
    etag = client.get(download).headers["etag"]
    for tags in (etag, f'"x", W/{etag}', "*"):
        answer = client.get(download, headers={"If-None-Match": tags})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert client.get(download, headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get(download, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    assert client.get(download, headers={"Range": "bytes=0-1", "If-Range": '"x"'}).status_code == 200


def test_download_head(client: TestClient, download: str) -> None:
    answer = client.head(download)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(STATE))
    assert "etag" in answer.headers
    part = client.head(download, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


def test_a_file_that_is_gone_is_a_404(client: TestClient, rows: Rows) -> None:
    checkpoint = rows.checkpoint(rows.job(), 1)
    get_artifacts().delete(checkpoint.artifact)
    problem(client.get(f"{API}/checkpoints/{checkpoint.id}/download"), 404)
    problem(client.get(f"{API}/checkpoints/nothing/download"), 404)


@pytest.mark.parametrize("damage", [STATE[:-1], STATE[:-1] + b"x", b"x" + STATE[1:]])
def test_a_damaged_checkpoint_is_given_to_nobody_as_whole(server: httpx.Client, rows: Rows, damage: bytes) -> None:
    checkpoint = rows.checkpoint(rows.job(), 1, STATE)
    get_artifacts().write(f"{checkpoint.artifact}/checkpoint.pt", [damage])
    url = f"{API}/checkpoints/{checkpoint.id}/download"
    if len(damage) != len(STATE):
        assert "damaged" in str(problem(server.get(url), 404)["detail"])
        return
    for headers in ({}, {"Range": "bytes=0-"}):  # a part that covers the file is the whole of it
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):  # short of its Content-Length
            server.get(url, headers=headers)


def test_of_a_checkpoint_that_was_passed_by_as_damaged_the_results_are_left(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    first, lost = rows.checkpoint(job, 1), rows.checkpoint(job, 2)
    evaluations = f"{API}/jobs/{job.id}/evaluations"
    evaluation = client.post(evaluations, json={"kind": "knn"}).json()["id"]
    with writing() as session:
        recording.discard_after(session, job.id, epoch=1, step=1, rounds=0)
    assert [row["id"] for row in client.get(f"{API}/jobs/{job.id}/checkpoints").json()["items"]] == [first.id]
    problem(client.get(f"{API}/checkpoints/{lost.id}/download"), 404)
    assert [row["checkpoint_id"] for row in client.get(evaluations).json()["items"]] == [lost.id]
    assert pointers(client.post(evaluations, json={"kind": "knn", "checkpoint_id": lost.id})) == ["/checkpoint_id"]
    another = client.post(evaluations, json={"kind": "knn"}).json()["id"]
    shown = {row: client.get(f"{API}/evaluations/{row}").json()["epoch"] for row in (evaluation, another)}
    assert shown == {evaluation: 2, another: 1}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_store_that_is_away_is_a_503(client: TestClient, rows: Rows, home: Path, method: str) -> None:
    checkpoint = rows.checkpoint(rows.job(), 1)
    (home / "artifacts").rename(home / "elsewhere")
    (home / "artifacts").write_bytes(b"")
    answer = client.request(method, f"{API}/checkpoints/{checkpoint.id}/download")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
