"""Images without labels: registered, trained on, and evaluated with another data set.

The reports are solo-learn#94 and dino#109.
"""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from store.database import writing
from store.models import Dataset
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
SMALL = {"preset": "digits", "sampler": "none", "batch_size": 4}


def register(client: TestClient, **spec: Any) -> Any:
    body = {"name": "scans", "source": {"kind": "sample", "name": "digits"}, "labels": False}
    return client.post(f"{API}/datasets", json=body | spec)


def submit(client: TestClient, dataset: Dataset, **body: Any) -> Any:
    return client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": SMALL} | body)


def test_they_are_registered_without_anything_that_cuts_by_class(client: TestClient) -> None:
    answer = register(client)
    assert answer.status_code == 202, answer.text
    shown = client.get(answer.headers["location"]).json()
    assert (shown["labels"], shown["can_evaluate"], shown["spec"]["labels"]) == (False, False, False)
    assert pointers(register(client, long_tail={"profile": "exp"})) == ["/long_tail"]
    assert pointers(register(client, test_fraction=0.1)) == ["/test_fraction"]
    assert pointers(register(client, labels="no")) == ["/labels"]
    assert register(client, long_tail=None).status_code == 202


def test_an_array_of_images_alone_is_taken(client: TestClient) -> None:
    upload = client.post(f"{API}/uploads?filename=scans.npy", content=b"x").json()["id"]
    source = {"kind": "upload", "upload_id": upload}
    assert register(client, source=source).status_code == 202
    assert pointers(register(client, source=source, labels=True)) == ["/source/upload_id"]


def test_their_samples_have_no_class(client: TestClient, rows: Rows) -> None:
    dataset = rows.unlabelled()
    shown = client.get(f"{API}/datasets/{dataset.id}").json()
    classes = [shown[name] for name in ("num_classes", "class_names", "class_counts", "groups")]
    assert classes == [None] * 4 and shown["split_sizes"]["train"] == shown["num_samples"] == 10
    url = f"{API}/datasets/{dataset.id}/samples"
    page = client.get(url, params={"limit": 7, "split": "train"}).json()
    assert page["items"][3] == {"index": 3, "label": None, "class_name": None, "split": "train"}
    rest = client.get(url, params={"cursor": page["next_cursor"]}).json()
    assert [item["index"] for item in rest["items"]] == [7, 8, 9] and rest["next_cursor"] is None
    assert client.get(url, params={"split": "test"}).json()["items"] == []
    assert pointers(client.get(url, params={"label": 0})) == ["?label"]
    assert client.get(f"{url}/9/image").headers["content-type"] == "image/png"


def test_a_job_on_them_names_labelled_images_to_evaluate_on_or_asks_for_no_evaluation(
    client: TestClient, rows: Rows
) -> None:
    scans, labelled = rows.unlabelled(), rows.dataset()
    refused = submit(client, scans)
    assert pointers(refused) == ["/evaluation_dataset_id"]
    assert "'scans' has no labels" in str(problem(refused, 422)["detail"])
    assert submit(client, scans, evaluations=[]).status_code == 202
    answer = submit(client, scans, evaluation_dataset_id=labelled.id, evaluations=["linear", "knn"])
    shown = client.get(answer.headers["location"]).json()
    assert (shown["dataset_id"], shown["evaluation_dataset_id"]) == (scans.id, labelled.id)

    def named(dataset: Dataset, **body: Any) -> list[str]:
        return pointers(submit(client, scans, evaluation_dataset_id=dataset.id, **body))

    assert named(rows.unlabelled()) == ["/evaluation_dataset_id"]
    assert named(rows.unlabelled(), evaluations=[]) == ["/evaluation_dataset_id"]
    assert named(rows.dataset(image_size=16)) == ["/evaluation_dataset_id"]
    assert named(rows.dataset(status="failed")) == ["/evaluation_dataset_id"]
    problem(submit(client, scans, evaluation_dataset_id=rows.dataset(status="registering").id), 409)
    assert pointers(submit(client, scans, evaluation_dataset_id="nothing")) == ["/evaluation_dataset_id"]
    assert submit(client, labelled, evaluation_dataset_id=rows.dataset().id).status_code == 202


def test_labelled_images_without_a_test_part_need_another_set_too(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    with writing() as session:
        session.get_one(Dataset, dataset.id).split_sizes = {"train": 10, "probe": 15, "val": 0, "test": 0}
    refused = submit(client, dataset, evaluations=["knn"])
    assert pointers(refused) == ["/evaluation_dataset_id"]
    assert "no test part" in str(problem(refused, 422)["detail"])


def test_images_that_jobs_are_evaluated_on_stay(client: TestClient, rows: Rows) -> None:
    labelled = rows.dataset()
    job = rows.job(rows.unlabelled(), evaluation_dataset_id=labelled.id)
    problem(client.delete(f"{API}/datasets/{labelled.id}"), 409)
    assert client.delete(f"{API}/jobs/{job.id}").status_code == 204
    assert client.delete(f"{API}/datasets/{labelled.id}").status_code == 204


def test_probes_use_the_named_images_or_are_refused(client: TestClient, rows: Rows) -> None:
    scans = rows.unlabelled()
    with_labels, without = rows.job(scans, evaluation_dataset_id=rows.dataset().id), rows.job(scans, evaluations=[])
    for job in (with_labels, without):
        rows.checkpoint(job, 3)
    assert client.post(f"{API}/jobs/{with_labels.id}/evaluations", json={"kind": "knn"}).status_code == 202
    refused = client.post(f"{API}/jobs/{without.id}/evaluations", json={"kind": "knn"})
    assert pointers(refused) == ["/kind"] and "evaluation_dataset_id" in str(problem(refused, 422)["detail"])


def test_analyses_that_need_labels_are_refused(client: TestClient, rows: Rows) -> None:
    job = rows.job(rows.unlabelled(), evaluations=[])
    rows.checkpoint(job, 3)

    def ask(kind: str) -> Any:
        return client.post(f"{API}/jobs/{job.id}/analyses", json={"kind": kind})

    for kind in ("tail_share", "cluster_minority", "misclassification", "connectivity", "alignment"):
        refused = ask(kind)
        assert pointers(refused) == ["/kind"], kind
        assert "Without labels there are feature_map, uniformity" in str(problem(refused, 422)["detail"])
    assert [ask(kind).status_code for kind in ("feature_map", "uniformity")] == [202, 202]


def test_their_tailness_has_no_classes(client: TestClient, rows: Rows) -> None:
    job = rows.job(rows.unlabelled(), rows.pool(), evaluations=[])
    rows.tailness(job, 1, [-0.1 * number for number in range(10)])
    url = f"{API}/jobs/{job.id}/tailness"
    first = client.get(f"{url}/samples").json()["items"][0]
    assert first == {"index": 0, "label": None, "class_name": None, "tailness": 0.0}
    assert client.get(f"{url}/samples/9").json()["class_name"] is None
    problem(client.get(f"{url}/samples/10"), 404)
    assert pointers(client.get(f"{url}/samples", params={"label": 0})) == ["?label"]
    assert pointers(client.get(f"{url}/samples", params={"order": "-label"})) == ["?order"]
    assert "no labels" in str(problem(client.get(f"{url}/classes"), 409)["detail"])


def test_they_are_compared(client: TestClient, rows: Rows) -> None:
    labelled = rows.dataset("animals")
    jobs = [rows.job(rows.unlabelled("scans"), evaluation_dataset_id=labelled.id), rows.job(labelled)]
    found = client.get(f"{API}/compare", params={"job_id": [job.id for job in jobs]}).json()
    assert [entry["name"] for entry in found["data_differences"]["dataset"]] == ["scans", "animals"]
    assert "evaluated_on" not in found["data_differences"]
    assert [warning["code"] for warning in found["warnings"]] == ["different_datasets"]
