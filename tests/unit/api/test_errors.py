"""Errors are problem documents, whatever goes wrong."""

from __future__ import annotations

import errno

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api.http.body_limit import MOST_BYTES
from api.http.pointers import pointer
from store.artifacts import ArtifactsUnavailable
from store.repositories import jobs
from tests.support.problems import pointers, problem

API = "/api/v1"


def test_unknown_addresses_and_methods(client: TestClient) -> None:
    for path in ("/api/v1", f"{API}/nothing", "/api/v2/jobs", "/nothing.txt", f"{API}/jobs/x/compare"):
        problem(client.get(path), 404)
    answer = client.put(f"{API}/jobs")
    assert "PUT" in str(problem(answer, 405)["detail"])
    assert answer.headers["allow"] == "GET, POST"
    problem(client.post("/healthz"), 405)


def test_a_bug_shows_nothing_of_itself(app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(jobs, "page", broken)
    quiet = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    answer = quiet.get(f"{API}/jobs")
    problem(answer, 500)
    assert "secret" not in answer.text


def test_a_database_that_is_away_is_a_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr(jobs, "page", away)
    answer = client.get(f"{API}/jobs")
    problem(answer, 503)
    assert answer.headers["retry-after"] == "2"
    assert "secret" not in answer.text


def test_a_full_disk_is_a_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ArtifactsUnavailable("cannot be used") from OSError(errno.ENOSPC, "No space left on device", "/secret")

    monkeypatch.setattr(jobs, "page", full)
    answer = client.get(f"{API}/jobs")
    assert "disk of the artifact store is full" in str(problem(answer, 503)["detail"])
    assert float(answer.headers["retry-after"]) > 0
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "where", "what"),
    [
        ("jobs", {"config": {"widht": 2}}, "/config/widht", "Unknown setting 'widht'. Did you mean 'width'?"),
        ("jobs", {"config": {"x": 2}}, "/config/x", "Unknown setting 'x'."),
        (
            "jobs",
            {"config": {"group_thresholds": {"lo": 1}}},
            "/config/group_thresholds/lo",
            "Unknown key 'lo'. Did you mean 'low'?",
        ),
        (
            "jobs",
            {"config": {"framework": "simclr", "prune_share": 0.5}},
            "/config/prune_share",
            "only framework 'sdclr' or 'bcl' reads it, and this run's is 'simclr': leave it out",
        ),
        ("jobs", {"evaluation": []}, "/evaluation", "Unknown key 'evaluation'. Did you mean 'evaluations'?"),
        ("datasets", {"seeed": 1}, "/seeed", "Unknown key 'seeed'. Did you mean 'seed'?"),
        (
            "datasets",
            {"source": {"kind": "path", "path": "/x", "paths": 1}},
            "/source/paths",
            "Unknown key 'paths'. Did you mean 'path'?",
        ),
        (
            "datasets",
            {"long_tail": {"profile": "exp", "imbalance": 20}},
            "/long_tail/imbalance",
            "Unknown key 'imbalance'. Did you mean 'imbalance_ratio'?",
        ),
        (
            "ood-pools",
            {"source": {"kind": "sample", "name": "glyphs-and-patches"}, "image_sizes": 32},
            "/image_sizes",
            "Unknown key 'image_sizes'. Did you mean 'image_size'?",
        ),
        ("ood-pools", {"source": {"kind": "sample", "name": "glyphs-and-patches"}, "x": 1}, "/x", "Unknown key 'x'."),
        (
            "jobs/x/evaluations",
            {"group_thresholds": {"hihg": 3}},
            "/group_thresholds/hihg",
            "Unknown key 'hihg'. Did you mean 'high'?",
        ),
        (
            "jobs/x/analyses",
            {"kind": "misclassification", "probe": {"kind": "linear", "group_thresholds": {"hihg": 3}}},
            "/probe/group_thresholds/hihg",
            "Unknown key 'hihg'. Did you mean 'high'?",
        ),
    ],
)
def test_a_misspelt_name_is_answered_with_the_known_one(
    client: TestClient, path: str, body: dict[str, object], where: str, what: str
) -> None:
    needed: dict[str, dict[str, object]] = {
        "jobs": {"dataset_id": "x"},
        "datasets": {"name": "x", "source": {"kind": "sample", "name": "digits"}},
        "ood-pools": {"name": "x"},
    }
    answer = client.post(f"{API}/{path}", json={**needed.get(path, {}), **body})
    assert problem(answer, 422)["errors"] == [{"pointer": where, "detail": what}]


def test_an_answer_does_not_grow_with_what_was_sent(client: TestClient) -> None:
    many = client.post(f"{API}/jobs", json={"dataset_id": "x", "config": {f"key{number}": 0 for number in range(900)}})
    assert len(pointers(many)) == 50
    assert str(problem(many, 422)["detail"]).endswith("; and 850 more")
    long = client.post(f"{API}/datasets", json={"name": "x", "source": {"kind": "k" * 100_000}})
    assert pointers(long) == ["/source"]
    assert len(long.content) < 2000


def test_of_many_wrong_indices_one_in_events(client: TestClient) -> None:
    cut = {"profile": "indices", "indices": [0, "x", *[-1] * 1000]}
    answer = client.post(
        f"{API}/datasets", json={"name": "x", "source": {"kind": "sample", "name": "digits"}, "long_tail": cut}
    )
    assert pointers(answer) == ["/long_tail/indices/1"]


def test_bodies_that_are_kept_in_memory_are_bounded(client: TestClient) -> None:
    json = {"Content-Type": "application/json"}
    large = b'{"dataset_id": "' + b"x" * MOST_BYTES + b'"}'
    assert "upload" in str(problem(client.post(f"{API}/jobs", content=large, headers=json), 413)["detail"])
    unannounced = client.post(
        f"{API}/jobs", content=(large[i : i + 2**20] for i in range(0, len(large), 2**20)), headers=json
    )
    problem(unannounced, 413)
    refused = client.post(f"{API}/session", content=b'{"token": "' + b"x" * 4096 + b'"}', headers=json)
    problem(refused, 413)  # before anyone is asked who they are
    assert client.post(f"{API}/uploads?filename=a.zip", content=large).status_code == 201


def test_every_answer_has_its_security_headers(client: TestClient) -> None:
    for path in ("/", "/docs", f"{API}/jobs", f"{API}/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert "script" not in headers["content-security-policy"]  # so scripts come from 'self' alone
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("location", "body", "expected"),
    [
        (("body", "config", "epochs"), {"config": {"epochs": 0}}, "/config/epochs"),
        (("body", "source", "upload", "upload_id"), {"source": {"kind": "upload"}}, "/source/upload_id"),
        (("body", "source", "upload"), {"source": {"upload": 1}}, "/source/upload"),
        (("body", "source", "path", "path"), {"source": {"kind": "path", "path": 1}}, "/source/path"),
        (("body", "source", "path", "x"), {"source": {"kind": "path", "path": "/", "x": 1}}, "/source/x"),
        (("body", "tags", 1), {"tags": ["a", ""]}, "/tags/1"),
        (("body", "top_k", "int"), {"top_k": "x"}, "/top_k"),
        (("body", "a/b~c"), {"a/b~c": 1}, "/a~1b~0c"),
        (("body",), None, ""),
        (("body", 17), None, ""),
        (("query", "limit"), None, "?limit"),
        (("path", "index"), None, "{index}"),
        (("header", "idempotency-key"), None, "idempotency-key:"),
    ],
)
def test_pointers_lead_to_the_value(location: tuple[int | str, ...], body: object, expected: str) -> None:
    assert pointer(location, body) == expected
