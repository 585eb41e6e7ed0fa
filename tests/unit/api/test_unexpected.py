"""What a call does not read is refused, never ignored (mlflow#2112)."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from api.http.unexpected import NO_BODY
from api.main import create_app
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"


@pytest.fixture(scope="module")
def operations() -> list[tuple[str, str, bool]]:
    """(method, path, whether it takes a body) of each."""
    return [
        (method.upper(), path, "requestBody" in operation)
        for path, operations in create_app().openapi()["paths"].items()
        for method, operation in operations.items()
    ]


def address(path: str) -> str:
    """The address with 7 as each parameter."""
    return re.sub(r"\{\w+\}", "7", path)


def test_every_call_refuses_an_unknown_query_parameter_before_it_does_anything(
    client: TestClient, operations: list[tuple[str, str, bool]]
) -> None:
    for method, path, _ in operations:
        answer = client.request(method, address(path), params={"nonsense": "1"})
        assert pointers(answer) == ["?nonsense"], (method, path)
    assert client.head(f"{API}/checkpoints/7/download?formatt=torch").status_code == 422


def test_every_call_that_takes_no_body_refuses_one(client: TestClient, operations: list[tuple[str, str, bool]]) -> None:
    for method, path, takes_body in operations:
        if takes_body:
            continue
        refused = problem(client.request(method, address(path), json={}), 422)
        assert refused["errors"] == [{"pointer": "", "detail": NO_BODY}], (method, path)


def test_a_misspelt_filter_names_the_right_one(client: TestClient, rows: Rows) -> None:
    rows.job()
    refused = problem(client.get(f"{API}/jobs", params={"statuss": "failed", "limit": 1, "x": [1, 2]}), 422)
    assert refused["errors"] == [
        {"pointer": "?statuss", "detail": "Unknown query parameter 'statuss'. Did you mean 'status'?"},
        {"pointer": "?x", "detail": "Unknown query parameter 'x'."},
    ]


def test_parameters_that_a_dependency_reads_are_known(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    query = {"selected": "true", "min": "0", "limit": "5"}
    assert client.get(f"{API}/jobs/{job.id}/ood-tailness", params=query).status_code == 200


def test_a_resume_with_a_body_changes_nothing(client: TestClient, rows: Rows) -> None:
    job = rows.job(status="failed")
    assert pointers(client.post(f"{API}/jobs/{job.id}/resume", json={"epochs": 200})) == [""]
    assert client.get(f"{API}/jobs/{job.id}").json()["status"] == "failed"
    chunks = iter([b"", b'{"epochs"', b": 200}"])
    assert pointers(client.post(f"{API}/jobs/{job.id}/resume", content=chunks)) == [""]
    assert client.post(f"{API}/jobs/{job.id}/resume", content=iter([b""])).status_code == 202


@pytest.mark.parametrize("path", ["/docs", "/", "/jobs"])
def test_pages_of_a_browser_take_any_query(client: TestClient, path: str) -> None:
    assert client.get(f"{path}?utm_source=mail").status_code != 422


def test_every_call_refuses_a_nul_in_its_address(client: TestClient, operations: list[tuple[str, str, bool]]) -> None:
    for method, path, _ in operations:
        if names := re.findall(r"\{(\w+)\}", path):
            answer = client.request(method, re.sub(r"\{\w+\}", "a%00b", path))
            assert pointers(answer) == [f"{{{name}}}" for name in names], (method, path)
    assert pointers(client.get(f"{API}/jobs", params={"tag": "a\0b"})) == ["?tag"]


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("jobs", {"dataset_id": "a\0b"}, "/dataset_id"),
        ("jobs", {"dataset_id": "a", "config": {"a/b\0": 1}}, "/config"),
        ("datasets", {"name": "d", "source": {"kind": "upload", "upload_id": "\0"}}, "/source/upload_id"),
        ("datasets", {"name": "d", "source": {"kind": "sample", "name": "digits"}, "label_names": ["a", "\0"]}, "/1"),
        ("session", {"token": "\0"}, "/token"),
    ],
)
def test_a_nul_in_a_body_is_named(client: TestClient, path: str, body: dict[str, object], where: str) -> None:
    (pointer,) = pointers(client.post(f"{API}/{path}", json=body))
    assert pointer.endswith(where)


def test_a_text_that_shows_an_escape_holds_no_nul(client: TestClient, rows: Rows) -> None:
    notes = r"\u0000 is written like this"
    changed = client.patch(f"{API}/jobs/{rows.job().id}", json={"notes": notes})
    assert changed.json()["notes"] == notes
