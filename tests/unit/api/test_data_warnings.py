"""Submission looks at the data of a job: shared images, leaks, no test part."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from store.artifacts import get_artifacts
from store.models import Dataset
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
SMALL = {"preset": "digits", "sampler": "none", "batch_size": 4}
SMALL_COLT = {"preset": "digits", "batch_size": 4, "sample_budget": 2, "num_clusters": 2}
LEAK = {"code": "test_images_in_training", "detail": "Two are.", "count": 2, "examples": [30, 3]}


def submitted(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"{API}/jobs", json=body)
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = client.get(answer.headers["location"]).json()
    return shown


def warned(client: TestClient, rows: Rows, dataset: Dataset, **pool: Any) -> dict[str, tuple[int, list[Any]]]:
    """Count and examples by code."""
    body = {"dataset_id": dataset.id, "ood_pool_id": rows.pool(**pool).id, "config": SMALL_COLT}
    shown = submitted(client, body)
    return {warning["code"]: (warning["count"], warning["examples"]) for warning in shown["warnings"]}


def test_a_pool_of_images_of_the_data_set_is_found_out(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset(digests=True)
    training = warned(client, rows, dataset, digests=True)
    assert training == {"pool_holds_training_images": (8, list(range(8)))}
    both = warned(client, rows, dataset, digests=True, first=22)  # two of the probe part, six of the test part
    assert both == {"pool_holds_training_images": (2, [0, 1]), "pool_holds_test_images": (6, list(range(2, 8)))}
    assert warned(client, rows, dataset, digests=True, first=40) == {}


@pytest.mark.parametrize("known", ["dataset", "pool", None])
def test_without_digests_it_is_not_known_and_said_so(client: TestClient, rows: Rows, known: str | None) -> None:
    dataset = rows.dataset(digests=known == "dataset")
    names = [name for name, noun in (("animals", "dataset"), ("glyphs", "pool")) if noun != known]
    assert warned(client, rows, dataset, digests=known == "pool") == {"overlap_unknown": (1, names)}


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"nothing of the kind"])
def test_digests_that_cannot_be_read_are_as_none(client: TestClient, rows: Rows, content: bytes | None) -> None:
    dataset = rows.dataset(digests=True)
    key = f"{dataset.artifact}/digests.npy"
    get_artifacts().delete(key) if content is None else get_artifacts().write(key, [content])
    assert [*warned(client, rows, dataset, digests=True)] == ["overlap_unknown"]


def test_the_leak_of_a_data_set_in_events_to_each_of_its_jobs(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset(warnings=[{**LEAK, "code": "blank_images"}, LEAK])
    shown = submitted(client, {"dataset_id": dataset.id, "config": SMALL})
    assert shown["warnings"] == [LEAK]
    compared = client.get(f"{API}/compare?job_id={shown['id']}&job_id={rows.job(dataset).id}").json()["jobs"]
    assert [job["warnings"] for job in compared] == [[LEAK], []]


def test_values_scaled_by_another_range_are_told(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset(digests=True, spec={"value_range": [0, 4095]})
    assert client.get(f"{API}/datasets/{dataset.id}").json()["value_range"] == [0, 4095]
    pool = {"digests": True, "first": 40}
    assert warned(client, rows, dataset, **pool, spec={"value_range": [0, 4095]}) == {}
    assert warned(client, rows, dataset, **pool, spec={"value_range": None}) == {}
    assert [*warned(client, rows, dataset, **pool, spec={"value_range": [0, 255]})] == ["value_ranges_differ"]


def untested(rows: Rows) -> Dataset:
    return rows.dataset(split_sizes={"train": 10, "probe": 15, "val": 0, "test": 0})


def test_without_a_test_part_a_job_is_evaluated_only_if_it_asks_and_is_refused_then(
    client: TestClient, rows: Rows
) -> None:
    body = {"dataset_id": untested(rows).id, "config": SMALL}
    assert submitted(client, body)["evaluations"] == []
    assert submitted(client, {**body, "evaluations": []})["evaluations"] == []
    refused = client.post(f"{API}/jobs", json={**body, "evaluations": ["linear", "knn"]})
    assert pointers(refused) == ["/evaluation_dataset_id"]
    assert "'animals' has no test part" in str(problem(refused, 422)["detail"])


def test_training_data_that_hold_the_images_of_the_evaluation_are_found_out(client: TestClient, rows: Rows) -> None:
    """Without labels and with: images are compared, and not where they come from."""
    evaluated = rows.dataset("evaluated", digests=True)

    def codes(dataset: Dataset, **pool: Any) -> dict[str, tuple[int, list[Any]]]:
        body = {"dataset_id": dataset.id, "evaluation_dataset_id": evaluated.id, "config": SMALL}
        if pool:
            body |= {"ood_pool_id": rows.pool(digests=True, **pool).id, "config": SMALL_COLT}
        return {one["code"]: (one["count"], one["examples"]) for one in submitted(client, body)["warnings"]}

    assert codes(rows.unlabelled(digests=True, first=22)) == {"training_holds_test_images": (8, list(range(2, 10)))}
    assert codes(rows.unlabelled(digests=True)) == {}
    assert codes(rows.unlabelled()) == {"overlap_unknown": (1, ["scans"])}
    assert codes(rows.dataset(digests=True)) == {}
    assert codes(rows.unlabelled(digests=True, first=40), first=28) == {"pool_holds_test_images": (8, list(range(8)))}
    assert codes(rows.unlabelled(digests=True, first=40), first=42) == {
        "pool_holds_training_images": (8, list(range(8)))
    }


def test_without_a_test_part_later_probes_are_refused_too(client: TestClient, rows: Rows) -> None:
    job = rows.job(untested(rows))
    rows.checkpoint(job, 1)
    for noun, kind in (("evaluations", "knn"), ("analyses", "misclassification")):
        refused = client.post(f"{API}/jobs/{job.id}/{noun}", json={"kind": kind})
        assert pointers(refused) == ["/kind"]
        assert "no test part" in str(problem(refused, 422)["detail"])
    assert client.post(f"{API}/jobs/{job.id}/analyses", json={"kind": "uniformity"}).status_code == 202


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"background": "white"}, "/background"),
        ({"fit": "stretch"}, "/fit"),
        ({"bit_depth": "scale", "value_range": [5, 5]}, ""),
        ({"on_damaged": "hide"}, "/on_damaged"),
    ],
)
@pytest.mark.parametrize("noun", ["datasets", "ood-pools"])
def test_wrong_settings_of_images_are_refused_at_registration(
    client: TestClient, noun: str, wrong: dict[str, Any], pointer: str
) -> None:
    name = "digits" if noun == "datasets" else "glyphs-and-patches"
    answer = client.post(f"{API}/{noun}", json={"name": "d", "source": {"kind": "sample", "name": name}, **wrong})
    assert pointers(answer) == [pointer]
