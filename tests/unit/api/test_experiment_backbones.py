"""Arms of experiments that are backbones, beside numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from store.database import reading, writing
from store.models import BackboneWeights, Dataset, Evaluation
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.unit.api.test_experiment_results import COLT, MATCHED, Made, end_all
from tests.unit.api.test_experiments import API, ARMS, all_jobs, body, set_jobs, submitted


def arm(backbone: BackboneWeights, name: str = "net") -> dict[str, Any]:
    return {"name": name, "backbone_id": backbone.id}


def asked(backbone: BackboneWeights) -> list[Evaluation]:
    with reading() as session:
        return list(session.scalars(select(Evaluation).where(Evaluation.backbone_id == backbone.id)))


def end(backbone: BackboneWeights, dataset: Dataset, accuracies: Sequence[float]) -> str:
    """Its evaluation succeeds; each of the three classes is a group of its own."""
    (row,) = (row for row in asked(backbone) if row.dataset_id == dataset.id)
    with writing() as session:
        kept = session.get_one(Evaluation, row.id)
        kept.status, kept.balanced_accuracy = "succeeded", sum(accuracies) / 3  # type: ignore[assignment]
        kept.per_class_accuracy, kept.group_std = list(accuracies), 0.0
        kept.group_accuracy = dict(zip(("many", "medium", "few"), accuracies, strict=True))
    return row.id


def test_a_backbone_has_evaluations_in_place_of_jobs(client: TestClient, rows: Rows) -> None:
    net, datasets = rows.backbone(), [rows.dataset("first").id, rows.dataset("second").id]
    wanted = body(rows, dataset_ids=datasets, arms=[*ARMS, arm(net)], evaluations=["linear", "knn"])
    thresholds = {"low": 1, "high": 4}
    wanted["config"] = {**wanted["config"], "group_thresholds": thresholds}
    location = submitted(client, wanted)
    shown = client.get(location).json()
    assert (shown["finished"], shown["total"], len(shown["jobs"]), len(all_jobs(client))) == (0, 8 + 4, 8, 8)
    assert [len(one["evaluations"]) for one in shown["arms"]] == [0, 0, 4]
    last = shown["arms"][2]
    assert (last["config"], last["backbone_id"], shown["arms"][0]["backbone_id"]) == (None, net.id, None)
    assert [(run["dataset_id"], run["kind"], run["status"]) for run in last["evaluations"]] == [
        (dataset, kind, "queued") for dataset in datasets for kind in ("linear", "knn")
    ]
    queued = asked(net)
    assert {row.id for row in queued} == {run["evaluation_id"] for run in last["evaluations"]}
    assert all(row.config["group_thresholds"] == thresholds for row in queued)
    # Another experiment, and further seeds, share what is there.
    submitted(client, {**wanted, "name": "again"})
    assert client.post(f"{location}/seeds", json={"seeds": [9]}).status_code == 202
    assert len(asked(net)) == 4
    assert client.get(location).json()["total"] == 12 + 4
    assert [listed["total"] for listed in client.get(f"{API}/experiments").json()["items"]] == [12, 16]


def test_what_came_to_nothing_is_named_and_asked_again(client: TestClient, rows: Rows) -> None:
    net, dataset = rows.backbone(), rows.dataset()
    location = submitted(client, body(rows, dataset_ids=[dataset.id], arms=[*ARMS, arm(net)], seeds=[0]))
    set_jobs(status="succeeded")
    missing = [entry for entry in client.get(f"{location}/results").json()["missing"] if entry["arm"] == "net"]
    (entry,) = missing
    assert (entry["dataset_id"], entry["seed"], entry["why"]) == (dataset.id, None, "the evaluation is queued")
    shown = client.get(location).json()
    assert (shown["status"], shown["finished"], shown["total"]) == ("running", 2, 3)
    with writing() as session:
        row = session.get_one(Evaluation, asked(net)[0].id)
        row.status, row.error = "failed", "out of luck"  # type: ignore[assignment]
    shown = client.get(location).json()
    assert (shown["status"], shown["finished"]) == ("failed", 3)
    assert shown["arms"][2]["evaluations"][0]["error"] == "out of luck"
    text = client.get(f"{location}/results", params={"format": "markdown"}).text
    assert f"Missing: 'net', data set {dataset.id}, every seed: the evaluation failed: out of luck" in text
    assert client.post(f"{location}/resume").status_code == 202
    assert sorted(row.status for row in asked(net)) == ["failed", "queued"]
    assert client.get(location).json()["status"] == "running"
    problem(client.post(f"{location}/resume"), 409)
    (again,) = (row.id for row in asked(net) if row.status == "queued")
    for row_id in (again, row.id):
        client.post(f"{API}/evaluations/{row_id}/cancel")
        assert client.delete(f"{API}/evaluations/{row_id}").status_code == 204
    shown = client.get(location).json()
    assert (shown["status"], shown["arms"][2]["evaluations"][0]["evaluation_id"]) == ("cancelled", None)
    assert client.delete(location, params={"with_jobs": True}).status_code == 204
    assert client.get(f"{API}/backbones/{net.id}").status_code == 200


def test_its_value_is_in_the_pair_of_every_seed(client: TestClient, rows: Rows) -> None:
    net, dataset = rows.backbone(), rows.dataset(digests=True)
    pool = rows.pool(digests=True, first=100)
    wanted = body(
        rows, dataset_ids=[dataset.id], ood_pool_id=pool.id, arms=[*ARMS, arm(net)], seeds=[0, 1, 2], baseline="net"
    )
    made = Made(client, submitted(client, wanted))
    end_all(made)
    evaluation = end(net, dataset, (0.9, 0.6, 0.3))
    # Few of COLT is 0.36, 0.42, 0.38. It differs from 0.3 by 0.06, 0.12, 0.08: mean 0.26/3. The sum
    # of squared deviations is 0.0056/3; by 2, root: 0.0305505. Half a width is 4.302653 * that,
    # by sqrt(3).
    few = made.row("COLT", "few")
    assert (few["n"], few["pairs"], few["verdict"]) == (3, 3, "higher")
    assert few["difference"] == pytest.approx(0.26 / 3)
    assert few["interval"] == pytest.approx([0.26 / 3 - 0.0758913, 0.26 / 3 + 0.0758913], abs=1e-6)
    own = made.row("net", "few")
    assert (own["n"], own["mean"], own["sd"], own["pairs"]) == (1, 0.3, None, None)
    found = made.results()
    (pair,) = (entry for entry in found["pairs"] if entry["arm"] == "net")
    assert (pair["seed"], pair["job_id"], pair["steps"], pair["evaluation_id"]) == (None, None, None, evaluation)
    assert pair["values"]["class/owl"] == 0.3 and pair["values"]["all"] == pytest.approx(0.6)
    assert [(warning["code"], warning["examples"]) for warning in found["warnings"]] == [
        ("not_trained_here", ["net"]),
        ("same_for_every_seed", ["net"]),
    ]
    # From the other side: Few of the matched arm is 0.3, 0.3, 0.2.
    other = made.row("net", "few", baseline="matched")
    assert (other["n"], other["pairs"], other["verdict"]) == (1, 3, "no clear difference")
    assert other["difference"] == pytest.approx(0.1 / 3)
    # A run that has no value has no pair.
    set_jobs(status="failed")
    made.end("COLT", 1, COLT[1])
    one = made.row("COLT", "few")
    assert (one["pairs"], one["verdict"]) == (1, "too few pairs") and one["difference"] == pytest.approx(0.12)
    assert made.row("matched", "few")["pairs"] == 0 and MATCHED[0] == (0.9, 0.6, 0.3)


def test_two_backbones_have_one_pair_for_each_data_set(client: TestClient, rows: Rows) -> None:
    net, other, datasets = rows.backbone(), rows.backbone(), [rows.dataset("first"), rows.dataset("second")]
    arms = [*ARMS, arm(net), arm(other, "other")]
    made = Made(client, submitted(client, body(rows, dataset_ids=[row.id for row in datasets], arms=arms)))
    for dataset, few in zip(datasets, (0.3, 0.5), strict=True):
        end(net, dataset, (0.9, 0.6, few))
        end(other, dataset, (0.9, 0.6, 2 * few))
    row = made.row("other", "few", baseline="net")
    assert (row["n"], row["pairs"], row["verdict"]) == (2, 2, "too few pairs")
    assert row["difference"] == pytest.approx(0.4)


def test_an_arm_that_is_no_backbone_and_no_settings_is_refused(client: TestClient, rows: Rows) -> None:
    net, dataset = rows.backbone(), rows.dataset()
    wanted = body(rows, dataset_ids=[dataset.id])
    thresholds = {"config": {"sampler": "random", "group_thresholds": {"low": 1, "high": 4}}}
    for arms, where in (
        ([arm(net), arm(rows.backbone(), "other")], ["/arms"]),
        ([*ARMS, arm(net) | {"config": {"epochs": 3}}], ["/arms/2/config"]),
        ([*ARMS, arm(net) | {"config": {}, "train_on": [dataset.id]}], ["/arms/2/config", "/arms/2/train_on"]),
        ([*ARMS, arm(net) | {"ood_pool_id": "p"}], ["/arms/2/ood_pool_id"]),
        ([*ARMS, arm(net), arm(net, "again")], ["/arms/3"]),
        ([*ARMS, arm(rows.backbone("failed"))], ["/arms/2/backbone_id"]),
        ([*ARMS, {"name": "net", "backbone_id": "nothing"}], ["/arms/2/backbone_id"]),
        ([*ARMS, {"name": "few of others", **thresholds}, arm(net)], ["/arms/3/backbone_id"]),
        ([ARMS[1], arm(net)], []),
    ):
        answer = client.post(f"{API}/experiments", json={**wanted, "arms": arms})
        if where:
            assert answer.status_code == 422, arms
            assert pointers(answer) == where, answer.text
        else:
            assert answer.status_code == 202, answer.text
    problem(client.post(f"{API}/experiments", json={**wanted, "arms": [*ARMS, arm(rows.backbone("registering"))]}), 409)
    unlabelled = {**wanted, "dataset_ids": [rows.unlabelled().id], "arms": [*ARMS, arm(net)]}
    assert "/dataset_ids/0" in pointers(client.post(f"{API}/experiments", json=unlabelled))
    assert len(client.get(f"{API}/experiments").json()["items"]) == 1
