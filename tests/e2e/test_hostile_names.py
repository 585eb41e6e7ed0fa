"""Names are text: HTML and SQL in them are shown as they were written, and nothing of them is
run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.data_files import labelled_files, png, write_zip
from tests.support.processes import wait_until
from tests.support.stack import Stack

API = "/api/v1"
HTML = "<img src=x onerror=\"window.ran='{}'\">"
SQL = "'; DROP TABLE jobs; --"
DATASET, POOL, JOB = (f"{HTML.format(noun)} {SQL}" for noun in ("dataset", "pool", "job"))
# As text, or as the text of an attribute such as a title.
SHOWN = """text => document.body.textContent.includes(text) || [...document.querySelectorAll('*')].some(
    element => [...element.attributes].some(attribute => attribute.value.includes(text)))"""
TAG, CLASS = HTML.format("tag"), "<svg onload=window.ran=1>"


def register(service: Stack, noun: str, name: str, source: dict[str, str], status: str) -> str:
    made = service.client.post(f"{API}/{noun}", json={"name": name, "source": source, "image_size": 16})
    address = made.headers["location"]
    wait_until(lambda: service.client.get(address).json()["status"] == status, 60, f"{noun}: {status}")
    return str(made.json()["id"])


def upload(service: Stack, path: Path) -> dict[str, str]:
    answer = service.client.post(f"{API}/uploads", params={"filename": path.name}, content=path.read_bytes())
    return {"kind": "upload", "upload_id": answer.json()["id"]}


@pytest.fixture(scope="module")
def ids(service: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("hostile")
    images = upload(service, write_zip(folder / "images.zip", labelled_files({CLASS: 20, "'": 20}).items()))
    broken = upload(service, write_zip(folder / "broken.zip", [("a/1.png", png()), (f"a/{CLASS}.exe", b"x")]))
    dataset = register(service, "datasets", DATASET, images, "ready")
    failed = register(service, "datasets", f"broken {DATASET}", broken, "failed")
    pool = register(service, "ood-pools", POOL, {"kind": "sample", "name": "glyphs-and-patches"}, "ready")
    config = {"preset": "digits", "sampler": "none", "epochs": 1, "width": 4, "batch_size": 8}
    wanted = {"name": JOB, "tags": [TAG], "dataset_id": dataset, "config": config, "evaluations": ["knn"]}
    answer = service.client.post(f"{API}/jobs", json=wanted)
    assert answer.status_code == 202, answer.text
    job = f"{API}/jobs/{answer.json()['id']}"
    wait_until(lambda: service.client.get(job).json()["status"] == "succeeded", 90, "the job is over")
    return {"dataset": dataset, "failed": failed, "pool": pool, "job": answer.json()["id"]}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/datasets", [DATASET]),
        ("/datasets/{dataset}", [DATASET, CLASS]),
        ("/datasets/{failed}", [CLASS]),  # in its problem
        ("/pools", [POOL]),
        ("/pools/{pool}", [POOL]),
        ("/", [JOB]),
        ("/jobs/{job}", [JOB, TAG]),
        ("/compare?job_id={job}&job_id={job}", []),
        ("/jobs/%3Cimg%20src=x%20onerror=window.ran=1%3E", []),
        ("/datasets/<img src=x onerror=window.ran=1>?label=<img src=x onerror=window.ran=1>", []),
    ],
)
def test_names_are_shown_as_text(
    page: Page, service: Stack, ids: dict[str, str], address: str, shown: list[str]
) -> None:
    page.goto(address.format(**ids))
    expect(page.locator("main")).not_to_be_empty()
    for text in shown:
        page.wait_for_function(SHOWN, arg=text)
    page.wait_for_load_state("networkidle")
    found: Any = page.evaluate("[window.ran, document.querySelectorAll('[onerror], [onload], img[src=x]').length]")
    assert found == [None, 0]


def test_sql_in_filters_finds_nothing_and_harms_nothing(service: Stack, ids: dict[str, str]) -> None:
    for text in (SQL, "' OR '1'='1", '" OR 1=1 --', "%", "_", "\\"):
        for query in ({"tag": text}, {"dataset_id": text}):
            answer = service.client.get(f"{API}/jobs", params=query)
            assert (answer.status_code, answer.json()["items"]) == (200, []), query
        for query in ({"sampler": text}, {"framework": text}):
            assert service.client.get(f"{API}/jobs", params=query).status_code == 422, query
    assert [job["name"] for job in service.client.get(f"{API}/jobs", params={"tag": TAG}).json()["items"]] == [JOB]
