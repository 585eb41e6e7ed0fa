"""Tailness and sampling rounds over HTTP."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from scipy.stats import pearsonr

from api.rounds.schemas import ClusterInfo
from api.tailness import ood_exports
from api.tailness.size_fit import size_fit
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import MOST_IMAGES, Job, RoundScores, SamplingRound
from store.repositories import round_scores
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.processes import REPOSITORY
from tests.support.results import Rows, npy

API = "/api/v1"
EPOCH_1 = [-0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, -0.05]
EPOCH_2 = [-0.5, -0.5, -0.25, -0.5, -0.75, -0.5, -0.125, -0.5, -0.5, 0.0]
ROUND_1 = ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0, 1])
ROUND_2 = ([0.5, 0.25, 0.75, 0.25, 0.5, 1.0, 0.0, 0.25], [0, 1, 0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 1, 0, 0])


@pytest.fixture
def job(rows: Rows) -> Job:
    return rows.job(rows.dataset(), rows.pool())


@pytest.fixture
def measured(rows: Rows, job: Job) -> Job:
    rows.tailness(job, 1, EPOCH_1)
    rows.tailness(job, 2, EPOCH_2)
    rows.sampling_round(job, 1, *ROUND_1, in_row=True)  # of an earlier version
    rows.sampling_round(job, 2, *ROUND_2)
    return job


def test_before_anything_is_measured(client: TestClient, job: Job) -> None:
    url = f"{API}/jobs/{job.id}"
    nothing = {"items": [], "next_cursor": None, "epoch": None, "round": None}
    assert client.get(f"{url}/tailness/samples").json() == nothing
    assert client.get(f"{url}/tailness/samples?cluster=0").json() == nothing
    assert client.get(f"{url}/tailness/samples/0").json()["history"] == {"epoch": [], "tailness": []}
    classes = client.get(f"{url}/tailness/classes").json()
    assert classes["epochs"] == []
    assert classes["items"][2]["mean_tailness"] is None
    assert client.get(f"{url}/rounds").json() == {"items": [], "next_cursor": None}
    empty = {"items": [], "next_cursor": None, "round": None, "epoch": None, "total": 0}
    assert client.get(f"{url}/ood-tailness").json() == empty
    for path in (
        "rounds/1",
        "ood-tailness?round=1",
        "ood-tailness/0",
        "ood-tailness/0/nearest",
        "ood-tailness/0/nearest?round=1",
        "ood-tailness/export",
        "tailness/samples?cluster=0&round=1",
        "tailness/classes?epoch=1",
    ):
        problem(client.get(f"{url}/{path}"), 404)


def test_id_samples_by_latest_tailness(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/tailness/samples"
    page = client.get(url, params={"limit": 3}).json()
    assert page["epoch"] == 2
    assert [(item["index"], item["tailness"]) for item in page["items"]] == [(9, 0.0), (6, -0.125), (2, -0.25)]
    assert page["items"][0] == {"index": 9, "label": 2, "class_name": "owl", "tailness": 0.0}

    def indices(**query: object) -> list[int]:
        return [item["index"] for item in client.get(url, params=query).json()["items"]]

    assert indices(order="tailness") == [4, 0, 1, 3, 5, 7, 8, 2, 6, 9]
    assert indices(order="-index", label=1) == [8, 7, 6]
    assert indices(order="index") == list(range(10))
    assert indices(order="-label") == [9, 6, 7, 8, 0, 1, 2, 3, 4, 5]
    assert pointers(client.get(url, params={"label": 3})) == ["?label"]
    assert pointers(client.get(url, params={"order": "size"})) == ["?order"]


def test_id_pages_stay_with_their_epoch(client: TestClient, measured: Job, rows: Rows) -> None:
    url = f"{API}/jobs/{measured.id}/tailness/samples"
    first = client.get(url, params={"limit": 6}).json()
    rows.tailness(measured, 3, EPOCH_1[::-1])  # the run continues between two pages
    second = client.get(url, params={"limit": 6, "cursor": first["next_cursor"]}).json()
    assert (second["epoch"], second["next_cursor"]) == (2, None)
    assert sorted(item["index"] for page in (first, second) for item in page["items"]) == list(range(10))
    changed = client.get(url, params={"limit": 6, "cursor": first["next_cursor"], "label": 1})
    assert pointers(changed) == ["?cursor"]


def test_id_samples_of_a_cluster(client: TestClient, measured: Job, rows: Rows) -> None:
    url = f"{API}/jobs/{measured.id}/tailness/samples"

    def page(**query: object) -> dict[str, Any]:
        answer: dict[str, Any] = client.get(url, params={"order": "index", **query}).json()
        return answer | {"items": [item["index"] for item in answer["items"]]}

    assert page()["round"] is None
    assert (page(cluster=1)["items"], page(cluster=1)["round"]) == ([6, 8, 9], 2)
    assert (page(cluster=1, round=1)["items"], page(cluster=1, round=1)["round"]) == ([7, 8, 9], 1)
    assert page(cluster=1, label=1)["items"] == [6, 8]
    assert page(cluster=2)["items"] == []
    first = page(cluster=1, limit=2)
    rows.sampling_round(measured, 3, *ROUND_2)  # the run continues between two pages
    second = page(cluster=1, limit=2, cursor=first["next_cursor"])
    assert (first["items"], second["items"], second["round"], second["next_cursor"]) == ([6, 8], [9], 2, None)
    for changed in ({"cluster": 0}, {}, {"cluster": 1, "round": 3}):
        answer = client.get(url, params={"order": "index", "limit": 2, "cursor": first["next_cursor"], **changed})
        assert pointers(answer) == ["?cursor"]
    problem(client.get(url, params={"cluster": 1, "round": 4}), 404)
    assert pointers(client.get(url, params={"round": 1})) == ["?round"]


def test_one_id_sample_over_epochs(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/tailness/samples"
    shown = client.get(f"{url}/6").json()
    assert (shown["label"], shown["class_name"], shown["tailness"]) == (1, "dog", -0.125)
    assert shown["history"]["epoch"] == [1, 2]
    assert shown["history"]["tailness"] == pytest.approx([-0.3, -0.125])
    problem(client.get(f"{url}/10"), 404)
    assert pointers(client.get(f"{url}/first")) == ["{index}"]


def test_classes_over_epochs(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/tailness/classes"
    whole = client.get(url).json()
    assert whole["epochs"] == [1, 2]
    assert [(item["class_name"], item["count"]) for item in whole["items"]] == [("cat", 6), ("dog", 3), ("owl", 1)]
    assert whole["items"][1]["history"] == pytest.approx([-0.2, -0.375])
    assert whole["items"][1]["mean_tailness"] == pytest.approx(-0.375)
    # Three classes have an r, but no interval: Fisher's z needs a fourth.
    sizes, means = np.log10([6, 3, 1]), [item["mean_tailness"] for item in whole["items"]]
    slope, intercept = np.polyfit(sizes, means, 1)
    assert whole["fit"] == {
        "classes": 3,
        "r": pytest.approx(np.corrcoef(sizes, means)[0, 1]),
        "interval": None,
        "slope": pytest.approx(slope),
        "intercept": pytest.approx(intercept),
    }
    assert client.get(url, params={"limit": 1}).json()["fit"] == whole["fit"]
    one = client.get(url, params={"epoch": 1}).json()
    assert (one["epochs"], one["items"][2]["history"]) == ([1], [pytest.approx(-0.05)])
    problem(client.get(url, params={"epoch": 3}), 404)


def test_the_correlation_of_class_size_and_tailness() -> None:
    counts, tailness = [1000, 300, 100, 30, 10, 3, 0], [-0.9, -0.7, -0.8, -0.5, -0.55, -0.2, None]
    fit = size_fit(counts, tailness)
    told = pearsonr(np.log10(counts[:6]), tailness[:6])
    interval = told.confidence_interval(0.95)  # by Fisher's z as well
    assert (fit.classes, fit.r) == (6, pytest.approx(told.statistic))
    assert fit.interval == pytest.approx([interval.low, interval.high])
    assert fit.slope is not None and fit.slope < 0
    # On one line atanh(r) is infinite, and a constant has no r.
    on_a_line = size_fit([1, 10, 100, 1000], [0.0, -0.1, -0.2, -0.3])
    assert (on_a_line.r, on_a_line.interval) == (pytest.approx(-1), None)
    for nothing in (size_fit([5, 5, 5, 5], [0.1, 0.2, 0.3, 0.4]), size_fit([1, 2, 3], [0.5, 0.5, 0.5])):
        assert (nothing.r, nothing.interval, nothing.slope, nothing.intercept) == (None, None, None, None)
    assert size_fit([1, 2], [0.1, 0.2]).r is None


@pytest.mark.parametrize("path", ["tailness/samples", "ood-tailness"])
def test_an_index_behind_the_last_image(client: TestClient, measured: Job, path: str) -> None:
    url = f"{API}/jobs/{measured.id}/{path}"
    problem(client.get(f"{url}/{len(EPOCH_1)}"), 404)
    problem(client.get(f"{url}/{MOST_IMAGES - 1}"), 404)
    assert pointers(client.get(f"{url}/{MOST_IMAGES}")) == ["{index}"]


def test_an_empty_cluster_that_an_earlier_version_stored_with_0_has_no_tailness() -> None:
    stored = {"size": 0, "tailness": 0.0, "weight": 0.0, "budget": 0, "class_counts": [0, 0, 0]}
    assert ClusterInfo.model_validate(stored).tailness is None


def test_rounds(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/rounds"
    first = client.get(url, params={"limit": 1}).json()
    second = client.get(url, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert second["next_cursor"] is None
    one, two = first["items"][0], second["items"][0]
    assert (one["round"], one["epoch"], one["num_selected"], one["overlap"]) == (1, 10, 2, None)
    assert (two["round"], two["overlap"], two["seconds"], two["num_embedded"]) == (2, 0.5, 0.25, 8)
    assert two["clusters"][1] == {"size": 3, "tailness": -0.1, "weight": 0.7, "budget": 2, "class_counts": [0, 2, 1]}
    whole = client.get(f"{url}/2").json()
    # 6 cats, 3 dogs and 1 owl, which is Few.
    few = [cluster.pop("few_share") for cluster in whole["clusters"]]
    lift = [cluster.pop("lift") for cluster in whole["clusters"]]
    assert (few, whole.pop("few_share")) == ([0, pytest.approx(1 / 3)], pytest.approx(0.1))
    assert lift[0] == pytest.approx([(6 / 7) / 0.6, (1 / 7) / 0.3, 0])
    assert lift[1] == pytest.approx([0, (2 / 3) / 0.3, (1 / 3) / 0.1])
    assert whole == two
    problem(client.get(f"{url}/3"), 404)
    assert pointers(client.get(f"{url}/0")) == ["{number}"]


def test_a_round_says_where_its_picks_are_from_and_why_it_stopped(
    client: TestClient, measured: Job, rows: Rows
) -> None:
    url = f"{API}/jobs/{measured.id}"
    two = client.get(f"{url}/rounds/2").json()
    assert (two["num_selected"], two["budget"], two["picked_from"], two["stop"]) == (3, 3, "pool", None)
    stop = {"similarity": 0.25, "reference": 0.5, "share": 0.95}
    with writing() as session:
        session.get_one(SamplingRound, (measured.id, 2)).stop = stop
    assert client.get(f"{url}/rounds/2").json() == two | {"stop": stop}
    other = rows.job(rows.dataset(), rows.pool())
    rows.sampling_round(other, 1, [], [], [])
    with writing() as session:  # as of training images: no pool image is embedded or scored
        session.get_one(SamplingRound, (other.id, 1)).num_embedded = 0
    (shown,) = client.get(f"{API}/jobs/{other.id}/rounds").json()["items"]
    assert (shown["picked_from"], shown["num_embedded"]) == ("train", 0)
    assert client.get(f"{API}/jobs/{other.id}/ood-tailness").json()["items"] == []
    problem(client.get(f"{API}/jobs/{other.id}/ood-tailness/0"), 404)


def test_shares_of_classes_that_cannot_be_had_are_null(client: TestClient, rows: Rows, job: Job) -> None:
    """An empty cluster, a class without images, groups by thresholds, and no counts at all."""
    config = {**job.config, "group_thresholds": {"low": 5, "high": 5}}
    job = rows.job(rows.dataset(), rows.pool(), config=config)
    rows.sampling_round(job, 1, *ROUND_1)
    for counts, few, lift in (
        ([[4, 0, 2], [0, 0, 0]], [1, None], [[1, None, 1], None]),  # all classes have fewer than 5 images
        (
            [[6, 0, 1], [2, 0, 1]],
            [1 / 7, 1 / 3],
            [[(6 / 7) / 0.8, None, (1 / 7) / 0.2], [(2 / 3) / 0.8, None, (1 / 3) / 0.2]],
        ),
        ([None, None], [None, None], [None, None]),
    ):
        with writing() as session:
            row = session.get_one(SamplingRound, (job.id, 1))
            row.clusters = [dict(cluster, class_counts=of) for cluster, of in zip(row.clusters, counts, strict=True)]
        found = client.get(f"{API}/jobs/{job.id}/rounds/1").json()
        assert [cluster["few_share"] for cluster in found["clusters"]] == [of and pytest.approx(of) for of in few]
        assert [cluster["lift"] for cluster in found["clusters"]] == [of and pytest.approx(of) for of in lift]


def test_ood_samples_of_the_last_round(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    page = client.get(url).json()
    assert (page["round"], page["epoch"], page["total"]) == (2, 20, 8)
    assert [item["index"] for item in page["items"]] == [5, 2, 0, 4, 1, 3, 7, 6]
    assert page["items"][0] == {
        "index": 5,
        "tailness": 1.0,
        "cluster": 1,
        "similarity": 0.625,
        "selected": True,
        "selected_rounds": [2],
        "alike_to": None,
    }
    assert page["items"][5]["selected_rounds"] == [1, 2]
    assert page["items"][6]["selected_rounds"] == [1]


def test_ood_filters_and_orders(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"

    def indices(**query: object) -> list[int]:
        answer = client.get(url, params=query)
        assert answer.status_code == 200, answer.text
        return [item["index"] for item in answer.json()["items"]]

    assert indices(round=1) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert indices(selected=True) == [5, 2, 3]
    assert indices(selected=False, cluster=1) == [1, 7]
    assert indices(cluster=0, order="index") == [0, 2, 4, 6]
    assert indices(min=0.5) == [5, 2, 0, 4]
    assert indices(min=0.25, max=0.5, order="-similarity") == [7, 4, 3, 1, 0]
    assert indices(order="tailness", limit=2) == [6, 1]
    assert indices(order="-index", limit=1) == [7]
    assert indices(cluster=9) == []
    # Round 1 picked 3 and 7, round 2 picked 2, 3 and 5.
    assert [indices(change=change, order="index") for change in ("entered", "stayed", "left")] == [[2, 5], [3], [7]]
    assert indices(change="entered", round=1) == [7, 3]
    assert indices(change="left", round=1) == indices(change="left", selected=True) == []
    assert pointers(client.get(url, params={"min": 2, "max": 1})) == ["?min"]
    for query in ({"min": "nan"}, {"round": 0}, {"cluster": -1}, {"selected": "maybe"}, {"order": "size"}):
        assert pointers(client.get(url, params=query)) == [f"?{next(iter(query))}"]


def test_ood_pages_stay_with_their_round(client: TestClient, measured: Job, rows: Rows) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    seen, cursor = [], None
    for _ in range(3):
        page = client.get(url, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        if cursor is None:
            rows.sampling_round(measured, 3, *ROUND_1)  # the run continues between two pages
        assert page["round"] == 2
        seen += [item["index"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([5, 2, 0, 4, 1, 3, 7, 6], None)


def test_ood_pages_stay_with_their_filters(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    query = {"cluster": 1, "min": 0.1, "limit": 1}
    cursor = client.get(url, params=query).json()["next_cursor"]
    assert [item["index"] for item in client.get(url, params=query | {"cursor": cursor}).json()["items"]] == [1]
    for changed in (
        {"cluster": 0},
        {"min": 0.2},
        {"change": "left"},
        {"selected": True},
        {"max": 3},
        {"order": "index"},
        {"round": 1},
    ):
        assert pointers(client.get(url, params=query | changed | {"cursor": cursor})) == ["?cursor"]


def test_one_ood_sample_over_rounds(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    shown = client.get(f"{url}/7").json()
    assert (shown["tailness"], shown["cluster"], shown["similarity"], shown["selected"]) == (0.25, 1, 0.875, False)
    assert (shown["round"], shown["selected_rounds"]) == (2, [1])
    assert [(seen["round"], seen["epoch"], seen["cluster"], seen["selected"]) for seen in shown["rounds"]] == [
        (1, 10, 1, True),
        (2, 20, 1, False),
    ]
    assert shown["rounds"][0]["tailness"] == pytest.approx(0.8)
    problem(client.get(f"{url}/8"), 404)


def test_the_ranks_of_an_image_in_a_round(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness/4"
    last, first = client.get(url).json(), client.get(url, params={"round": 1}).json()
    # Similarities rise with the index. In round 2 four images have a smaller tailness.
    assert last["standing"] == {"percentile": 0.5, "cluster_rank": 2, "cluster_size": 4, "budget": 1}
    assert (first["round"], first["cluster"], first["tailness"]) == (1, 1, pytest.approx(0.5))
    assert first["standing"] == {"percentile": 0.5, "cluster_rank": 4, "cluster_size": 4, "budget": 2}
    assert first["rounds"] == last["rounds"]
    problem(client.get(url, params={"round": 3}), 404)


def test_a_histogram_of_the_pool(client: TestClient, job: Job, rows: Rows) -> None:
    url = f"{API}/jobs/{job.id}/ood-tailness/histogram"
    assert client.get(url).json() == {"round": None, "edges": [], "all": [], "picked": []}
    rows.sampling_round(job, 1, *ROUND_1)
    rows.sampling_round(job, 2, [math.nan, *ROUND_2[0][1:]], *ROUND_2[1:])
    shown = client.get(url, params={"bins": 4}).json()
    assert shown == {"round": 2, "edges": [0, 0.25, 0.5, 0.75, 1], "all": [1, 3, 1, 2], "picked": [0, 1, 0, 2]}
    assert client.get(url, params={"bins": 2, "cluster": 0, "round": 1}).json()["all"] == [2, 2]
    assert client.get(url, params={"cluster": 9}).json()["edges"] == []
    problem(client.get(url, params={"round": 3}), 404)
    assert pointers(client.get(url, params={"bins": 0})) == ["?bins"]


def test_training_images_nearest_to_a_pick(client: TestClient, measured: Job, rows: Rows) -> None:
    near = [[9, 6, 0], [1, 2, 3], [8, 7, 9]]  # of pool images 2, 3 and 5
    rows.sampling_round(measured, 3, *ROUND_2, nearest=near)
    rows.sampling_round(measured, 4, *ROUND_1, nearest=near[:2])  # of pool images 3 and 7
    rows.tailness(measured, 39, EPOCH_2)  # round 4 is before epoch 40
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    shown = client.get(f"{url}/3/nearest").json()
    assert (shown["index"], shown["round"], shown["epoch"]) == (3, 4, 40)
    assert shown["items"] == [
        {"index": 9, "label": 2, "class_name": "owl", "similarity": 1.0, "tailness": 0.0},
        {"index": 6, "label": 1, "class_name": "dog", "similarity": 0.5, "tailness": -0.125},
        {"index": 0, "label": 0, "class_name": "cat", "similarity": pytest.approx(1 / 3, abs=1e-3), "tailness": -0.5},
    ]

    def indices(image: int, **query: int) -> list[int]:
        return [item["index"] for item in client.get(f"{url}/{image}/nearest", params=query).json()["items"]]

    assert (indices(7), indices(7, k=2), indices(7, k=8)) == (near[1], near[1][:2], near[1])
    assert [indices(image, round=3) for image in (2, 3, 5)] == near
    # Nothing was recorded after epoch 29, which round 3 weighed by.
    assert {item["tailness"] for item in client.get(f"{url}/2/nearest?round=3").json()["items"]} == {None}
    for query in ({"k": 0}, {"k": 9}, {"round": 0}, {"k": "all"}):
        assert pointers(client.get(f"{url}/3/nearest", params=query)) == [f"?{next(iter(query))}"]
    assert pointers(client.get(f"{url}/{MOST_IMAGES}/nearest")) == ["{index}"]


def test_a_round_without_nearest_images_says_what_is_kept(client: TestClient, measured: Job, rows: Rows) -> None:
    """Those of an image that it did not pick, and of a round of an earlier version."""
    rows.sampling_round(measured, 3, *ROUND_2, nearest=[[9], [1], [8]])
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    for path, told in (
        ("7/nearest", "Round 3 did not pick OOD image 7."),
        ("7/nearest?round=2", "Round 2 did not pick OOD image 7."),
        ("7/nearest?round=1", "Round 1 picked OOD image 7, but kept no nearest training images: it was run by an"),
    ):
        detail = problem(client.get(f"{url}/{path}"), 404)["detail"]
        assert detail.startswith(told) and "&selected=true` lists them" in detail
    assert "no sampling round 4" in problem(client.get(f"{url}/7/nearest?round=4"), 404)["detail"]
    assert "seen an OOD image 8" in problem(client.get(f"{url}/8/nearest"), 404)["detail"]
    problem(client.get(f"{API}/jobs/none/ood-tailness/7/nearest"), 404)
    unlabelled = rows.job(rows.unlabelled())
    rows.sampling_round(unlabelled, 1, *ROUND_1, nearest=[[9], [1]])
    (near,) = client.get(f"{API}/jobs/{unlabelled.id}/ood-tailness/3/nearest").json()["items"]
    assert near == {"index": 9, "label": None, "class_name": None, "similarity": 1.0, "tailness": None}


def test_of_a_round_without_its_scores_the_answer_says_why(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}"
    with writing() as session:
        kept = round_scores.kept(session, measured.id)
        round_scores.drop(session, measured.id, kept[:1])
    for path in ("ood-tailness?round=1", "ood-tailness/export?round=1", "ood-tailness/3?round=1", "picks?round=1"):
        assert "round 1 were dropped" in problem(client.get(f"{url}/{path}"), 404)["detail"]
    assert [row["round"] for row in client.get(f"{url}/ood-tailness/3").json()["rounds"]] == [2]
    shown = client.get(f"{url}/ood-tailness?order=index").json()["items"]
    assert shown[3]["selected_rounds"] == [1, 2]  # picks stay
    assert client.get(f"{url}/rounds/1").json()["num_selected"] == 2
    with reading() as session:
        file = session.get_one(RoundScores, (measured.id, 2)).file
    get_artifacts().delete(file or "")
    for path in ("ood-tailness", "ood-tailness/export", "ood-tailness/3", "ood-tailness/histogram"):
        assert "no longer stored" in problem(client.get(f"{url}/{path}"), 404)["detail"]


def test_export_is_the_list_as_a_file(client: TestClient, measured: Job) -> None:
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    answer = client.get(f"{url}/export", params={"format": "csv", "selected": True})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(line["index"]) for line in lines] == [5, 2, 3]
    assert lines[2] == {
        "index": "3",
        "tailness": "0.25",
        "cluster": "1",
        "similarity": "0.375",
        "selected": "true",
        "selected_rounds": "1 2",
    }
    assert len(client.get(f"{url}/export").text.splitlines()) == 9
    assert pointers(client.get(f"{url}/export", params={"format": "xlsx"})) == ["?format"]
    problem(client.get(f"{url}/export", params={"round": 3}), 404)


@pytest.mark.parametrize("block", [2, 1000])
def test_export_as_parquet_has_the_same_rows(
    client: TestClient, measured: Job, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(ood_exports, "BLOCK", block)
    url = f"{API}/jobs/{measured.id}/ood-tailness"
    query = {"order": "-similarity"}
    answer = client.get(f"{url}/export", params={**query, "format": "parquet"})
    assert answer.headers["content-disposition"].endswith('.parquet"')
    table = pq.read_table(io.BytesIO(answer.content))
    shown = client.get(url, params=query).json()["items"]
    assert [{**row, "alike_to": None} for row in table.to_pylist()] == shown
    assert str(table.schema.field("tailness").type) == str(table.schema.field("similarity").type) == "float"
    assert str(REPOSITORY).encode() not in answer.content
    problem(client.get(f"{url}/export", params={"round": 3, "format": "parquet"}), 404)


def test_export_as_parquet_has_null_for_a_score_that_is_not_finite(client: TestClient, rows: Rows) -> None:
    job = rows.job(pool=rows.pool())
    rows.sampling_round(job, 1, [math.nan] + [0.5] * 7, [0] * 8, [1] * 8)
    content = client.get(f"{API}/jobs/{job.id}/ood-tailness/export?format=parquet&order=index").content
    assert pq.read_table(io.BytesIO(content))["tailness"].to_pylist() == [None] + [0.5] * 7


def test_images_that_nearly_equal_an_earlier_one_of_the_page_are_named(client: TestClient, rows: Rows) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 3, 96, 96)).astype(np.uint8)
    # Coarse, as photographs are: what the averaging leaves.
    images = np.kron(noise[..., :12, :12], np.ones((8, 8), dtype=np.uint8))
    images[3] = images[1]  # a copy
    images[5] = images[1][..., ::-1]  # mirrored
    images[6] = np.clip(images[2].astype(int) + noise[0] % 9 - 4, 0, 255)  # as if compressed again
    pool = rows.pool(image_size=96)
    get_artifacts().write(f"{pool.artifact}/images.npy", [npy(images)])
    job = rows.job(rows.dataset(), pool)
    rows.sampling_round(job, 1, [0.1 * index for index in range(8)], [0] * 8, [1] * 8)
    url = f"{API}/jobs/{job.id}/ood-tailness"
    plain = client.get(url, params={"order": "tailness"}).json()["items"]
    assert {item["alike_to"] for item in plain} == {None}
    found = client.get(url, params={"order": "tailness", "alike": True}).json()["items"]
    assert {item["index"]: item["alike_to"] for item in found if item["alike_to"] is not None} == {3: 1, 5: 1, 6: 2}
    assert [{**item, "alike_to": None} for item in found] == plain
    # The page decides what comes first.
    found = client.get(url, params={"order": "-tailness", "alike": True}).json()["items"]
    assert {item["index"]: item["alike_to"] for item in found if item["alike_to"] is not None} == {1: 5, 3: 5, 2: 6}
    get_artifacts().delete(f"{pool.artifact}/images.npy")
    assert client.get(url, params={"order": "tailness", "alike": True}).json()["items"] == plain
