"""Answers stay small, whatever was registered: long lists in requests, and pages of large rows."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.http.pages import MOST_BYTES
from store.database import writing
from store.models import Evaluation, Job, JobAttempt, SamplingRound, TailnessEpoch, new_id
from tests.support.problems import pointers, problem
from tests.support.results import Rows, npy

API = "/api/v1"
SAMPLE = {"name": "digits", "source": {"kind": "sample", "name": "digits"}}


def register(client: TestClient, indices: list[int]) -> Any:
    return client.post(f"{API}/datasets", json={**SAMPLE, "long_tail": {"profile": "indices", "indices": indices}})


def test_indices_of_a_request_are_a_file_beside_its_row(client: TestClient) -> None:
    indices = list(range(9_999, -1, -1))
    made = register(client, indices).json()["id"]
    shown = client.get(f"{API}/datasets/{made}").json()
    listed = client.get(f"{API}/datasets").json()["items"]
    address = f"{API}/datasets/{made}/indices"
    file = client.get(address)
    told = {"count": 10_000, "sha256": hashlib.sha256(file.content).hexdigest()}
    assert shown["spec"]["long_tail"]["indices"] == listed[0]["spec"]["long_tail"]["indices"] == told
    assert [int(line) for line in file.text.splitlines()] == indices

    part = client.get(address, headers={"Range": "bytes=5-8"})
    assert (part.status_code, part.text) == (206, file.text[5:9])
    assert client.get(address, headers={"If-None-Match": file.headers["etag"]}).status_code == 304
    again = client.post(f"{API}/uploads?filename=cut.txt", content=file.content).json()["id"]
    cut = {"profile": "indices", "upload_id": again}
    other = client.post(f"{API}/datasets", json={**SAMPLE, "long_tail": cut})
    assert other.status_code == 202
    problem(client.get(f"{API}/datasets/{other.json()['id']}/indices"), 404)
    problem(client.get(f"{API}/datasets/nothing/indices"), 404)


def test_a_long_list_belongs_into_an_upload(client: TestClient) -> None:
    answer = register(client, list(range(10_001)))
    assert pointers(answer) == ["/long_tail/indices"]
    assert "10,001 entries" in answer.text
    assert "upload (.npy or .txt)" in answer.text
    names = client.post(f"{API}/datasets", json={**SAMPLE, "label_names": ["a"] * 10_001})
    assert pointers(names) == ["/label_names"]


def test_an_index_that_is_listed_twice_is_refused_at_once(client: TestClient) -> None:
    answer = register(client, [3, 1, 2, 1])
    assert pointers(answer) == ["/long_tail/indices"]
    assert "index 1 is listed twice" in answer.text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("twice.txt", b"0\n4\n4\n", "index 4 is listed twice"),
        ("twice.npy", npy(np.array([7, 0, 7])), "index 7 is listed twice"),
        ("floats.npy", npy(np.array([0.5])), "must be integers"),
        ("words.txt", b"zero\n", "one whole number a line"),
    ],
)
def test_an_uploaded_list_is_looked_through_at_once(client: TestClient, name: str, content: bytes, told: str) -> None:
    upload_id = client.post(f"{API}/uploads?filename={name}", content=content).json()["id"]
    cut = {"profile": "indices", "upload_id": upload_id}
    answer = client.post(f"{API}/datasets", json={**SAMPLE, "long_tail": cut})
    assert pointers(answer) == ["/long_tail/upload_id"]
    assert told in answer.text


def test_a_list_of_images_may_stand_for_indices(client: TestClient) -> None:
    upload_id = client.post(f"{API}/uploads?filename=a.zip", content=b"x").json()["id"]
    listed = client.post(f"{API}/uploads?filename=a.txt", content=b"a/1.png 0\na/1.png 0\n").json()["id"]
    cut = {"profile": "indices", "upload_id": listed}
    body = {"name": "d", "source": {"kind": "upload", "upload_id": upload_id}, "long_tail": cut}
    assert client.post(f"{API}/datasets", json=body).status_code == 202


def test_uploads_are_shown_without_the_lists_of_registrations(client: TestClient) -> None:
    upload_id = client.post(f"{API}/uploads?filename=a.zip", content=b"x").json()["id"]
    names = [f"{number:05}" + "x" * 190 for number in range(10_000)]
    for number in range(4):
        body = {"name": f"d{number}", "source": {"kind": "upload", "upload_id": upload_id}, "label_names": names}
        assert client.post(f"{API}/datasets", json=body).status_code == 202
    for address in ("uploads", f"uploads/{upload_id}"):
        client.get(f"{API}/{address}")
        tracemalloc.start()
        try:
            shown = client.get(f"{API}/{address}").json()
            assert tracemalloc.get_traced_memory()[1] < 2**20  # a row's names alone are more
        finally:
            tracemalloc.stop()
        assert [item["in_use"] for item in shown.get("items", [shown])] == [True]


CLASSES = 30_000
LONG = "x" * 190


def large_datasets(rows: Rows) -> str:
    for _ in range(4):
        names = [f"{LONG}{number}" for number in range(5_000)]  # 1 MB
        rows.dataset(class_names=names, num_classes=len(names))
    return "datasets"


def one_dataset_beyond_a_page(rows: Rows) -> str:
    rows.dataset(
        class_names=[LONG] * CLASSES,
        class_counts=[1] * CLASSES,
        spec={"source": {"kind": "sample"}, "label_names": [LONG] * CLASSES},  # of an earlier version
    )
    return "datasets"


def jobs_with_notes(rows: Rows) -> str:
    dataset = rows.dataset()
    with writing() as session:
        for number in range(100):
            values = {"config": {}, "framework": "simclr", "sampler": "none", "evaluations": [], "epochs": 1}
            session.add(Job(name=f"{number}", dataset_id=dataset.id, notes="\u00e9\u6f22" * 5_000, **values))
    return "jobs"


def evaluations_of_many_classes(rows: Rows) -> str:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 1)
    with writing() as session:
        for _ in range(3):
            found = {"per_class_accuracy": [1 / 3] * CLASSES, "class_counts": [12_345] * CLASSES}
            asked = {"job_id": job.id, "checkpoint_id": checkpoint.id, "kind": "knn", "config": {}, "epoch": 1}
            session.add(Evaluation(**asked, status="succeeded", test_counts=[54_321] * CLASSES * 9, **found))
    return f"jobs/{job.id}/evaluations"


def rounds_of_many_clusters(rows: Rows) -> str:
    job = rows.job()
    cluster = {"size": 1, "tailness": 1 / 3, "weight": 1e-7 / 3, "budget": 12_345, "class_counts": [0] * 100}
    scores = dict.fromkeys(("ood_tailness", "ood_cluster", "ood_similarity", "ood_selected", "id_cluster"), b"")
    with writing() as session:
        for number in (1, 2):
            of_round = {"epoch": number, "step": number, "num_selected": 0, "seconds": 0.0, **scores}
            session.add(SamplingRound(job_id=job.id, round=number, clusters=[cluster] * 10_000, **of_round))
    return f"jobs/{job.id}/rounds"


def attempts_with_reasons(rows: Rows) -> str:
    job = rows.job()
    with writing() as session:
        for number in range(1, 400):
            session.add(JobAttempt(job_id=job.id, number=number, worker_id="w", reason="r" * 9_000))
    return f"jobs/{job.id}/attempts"


def samples_of_long_names(rows: Rows) -> str:
    dataset = rows.dataset(class_names=["c" * 300_000] * 3)
    return f"datasets/{dataset.id}/samples"


def tailness_of_long_names(rows: Rows) -> str:
    job = rows.job(rows.dataset(class_names=["c" * 300_000] * 3))
    rows.tailness(job, 1, [0.5] * 10)
    return f"jobs/{job.id}/tailness/samples"


def tailness_of_many_classes(rows: Rows) -> str:
    names = [f"{number}" for number in range(1_500)]
    job = rows.job(rows.dataset(class_names=names, class_counts=[1] * len(names)))
    with writing() as session:
        for epoch in range(1, 100):
            means = [1 / 3] * len(names)
            session.add(TailnessEpoch(job_id=job.id, epoch=epoch, class_means=means, scores=b""))
    return f"jobs/{job.id}/tailness/classes"


@pytest.mark.parametrize(
    "fill",
    [
        large_datasets,
        one_dataset_beyond_a_page,
        jobs_with_notes,
        evaluations_of_many_classes,
        rounds_of_many_clusters,
        attempts_with_reasons,
        samples_of_long_names,
        tailness_of_long_names,
        tailness_of_many_classes,
    ],
)
def test_no_page_exceeds_2_mib_and_all_items_are_on_one(
    client: TestClient, rows: Rows, fill: Callable[[Rows], str]
) -> None:
    address = f"{API}/{fill(rows)}"
    seen: list[Any] = []
    sizes: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(address, params={"limit": 1000, **cursor})
        assert len(answer.content) <= MOST_BYTES
        sizes.append(len(answer.content))
        page = answer.json()
        seen += [item.get("id", next(iter(item.values()))) for item in page["items"]]
        assert len(set(seen)) == len(seen)
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    expected = {
        large_datasets: 4,
        one_dataset_beyond_a_page: 1,
        jobs_with_notes: 100,
        evaluations_of_many_classes: 3,
        rounds_of_many_clusters: 2,
        attempts_with_reasons: 399,
        samples_of_long_names: 36,
        tailness_of_long_names: 10,
        tailness_of_many_classes: 1_500,
    }
    assert len(seen) == expected[fill]
    assert len(sizes) > 1 or len(seen) == 1


def test_a_row_that_is_too_large_for_a_page_lacks_what_the_row_itself_shows(client: TestClient, rows: Rows) -> None:
    one_dataset_beyond_a_page(rows)
    (listed,) = client.get(f"{API}/datasets").json()["items"]
    whole = client.get(f"{API}/datasets/{listed['id']}").json()
    assert listed["class_names"] is None
    assert listed["spec"]["label_names"]["count"] == CLASSES == len(whole["spec"]["label_names"])
    assert len(whole["class_names"]) == CLASSES
    assert listed["name"] == whole["name"]


def test_a_cursor_by_the_longest_name_is_taken_back(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    name = "\U0001f436" * 100
    with writing() as session:
        for _ in range(2):
            values = {"config": {}, "framework": "simclr", "sampler": "none", "evaluations": [], "epochs": 1}
            session.add(Job(id=new_id(), name=name, dataset_id=dataset.id, **values))
    first = client.get(f"{API}/jobs", params={"order": "name", "limit": 1}).json()
    second = client.get(f"{API}/jobs", params={"order": "name", "limit": 1, "cursor": first["next_cursor"]}).json()
    assert second["items"][0]["id"] != first["items"][0]["id"]
    assert second["next_cursor"] is None


def test_a_comparison_says_briefly_that_long_lists_differ(client: TestClient, rows: Rows) -> None:
    named = [rows.dataset(class_names=[f"{LONG}{first + c}" for c in range(5_000)]) for first in (0, 1)]
    jobs = [rows.job(dataset).id for dataset in named]
    answer = client.get(f"{API}/compare", params={"job_id": jobs})
    one, other = answer.json()["data_differences"]["class_names"]
    assert one["count"] == other["count"] == 5_000
    assert one["sha256"] != other["sha256"]
    assert len(answer.content) < 100_000
