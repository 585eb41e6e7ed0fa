"""Analyses over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from colt_core.analyses.kinds import AnalysisConfig
from colt_core.config import PretrainConfig
from store import leases
from store.database import writing
from store.models import Analysis, Checkpoint, Job
from store.repositories import recording
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"

RESULTS: list[dict[str, Any]] = [
    {"kind": "uniformity", "uniformity": -2.5, "by_class": [-1.5, -1.0, None], "num_samples": 10},
    {
        "kind": "alignment",
        "alignment": 0.25,
        "by_class": [0.2, 0.25, 0.3],
        "group": {"many": 0.2, "medium": 0.25, "few": 0.3},
    },
    {"kind": "tail_share", "gamma": [10.0, 100.0], "phi_tail": [5.0, 1.0], "phi_head": [0.0, 1.0]},
    {
        "kind": "cluster_minority",
        "size": [6, 4],
        "minority_share": [0.0, 0.25],
        "tailness": [-0.5, -0.1],
        "slope": 1.6,
        "intercept": -0.5,
        "r": 1.0,
    },
    {
        "kind": "misclassification",
        "counts": [[4, 0, 0], [1, 3, 0], [2, 1, 1]],
        "normalized": [[None, 0.0, 0.0], [1.5, None, 0.0], [3.0, 1.5, None]],
        "order": [0, 1, 2],
    },
    {
        "kind": "connectivity",
        "thresholds": [0.5, 1.0],
        "majority": {"without_ood": [0.5, 1.0], "with_ood": [0.75, 1.0], "num_pairs": 15},
        "minority": {"without_ood": [None, None], "with_ood": [None, None], "num_pairs": 0},
        "num_ood": 2,
    },
    {
        "kind": "feature_map",
        "index": [0, 3],
        "x": [0.5, -0.5],
        "y": [1.0, 2.0],
        "label": [2, -1],
        "tailness": [-0.1, None],
        "cluster": [1, 0],
        "error": [0.25, None],
    },
]


def analysed(job: Job, checkpoint: Checkpoint, result: dict[str, Any] | None = None, **values: Any) -> Analysis:
    """The rows and files that a worker would have written."""
    config = AnalysisConfig.model_validate({"kind": "tail_share" if result is None else result["kind"]})
    row = Analysis(
        job_id=job.id,
        checkpoint_id=checkpoint.id,
        kind=config.kind,
        config=config.model_dump(mode="json"),
        epoch=checkpoint.epoch,
        **{"status": "succeeded", "result": result} | values,
    )
    with writing() as session:
        session.add(row)
    return row


def test_an_analysis_of_the_last_checkpoint(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    url = f"{API}/jobs/{job.id}/analyses"
    assert "checkpoint" in str(problem(client.post(url, json={"kind": "tail_share"}), 409)["detail"])
    rows.checkpoint(job, 1)
    last = rows.checkpoint(job, 2)
    answer = client.post(url, json={"kind": "tail_share", "gammas": [5, 50.5]})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    shown = client.get(answer.headers["location"]).json()
    assert shown.pop("result") is None
    assert (shown["kind"], shown["job_id"], shown["checkpoint_id"], shown["epoch"]) == (
        "tail_share",
        job.id,
        last.id,
        2,
    )
    assert shown["config"] == {"kind": "tail_share", "seed": 0, "gammas": [5, 50.5]}
    assert client.get(url).json()["items"] == [shown]
    with writing() as session:
        lease = leases.claim(session, Analysis, "worker", 30)
        assert lease is not None
        assert lease.id == shown["id"]
    assert client.get(answer.headers["location"]).json()["status"] == "running"
    problem(client.get(f"{API}/analyses/nothing"), 404)
    problem(client.post(f"{API}/jobs/nothing/analyses", json={"kind": "tail_share"}), 404)
    problem(client.get(f"{API}/jobs/nothing/analyses"), 404)


def test_the_very_same_analysis_is_made_once(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    first, last = rows.checkpoint(job, 1), rows.checkpoint(job, 2)
    url = f"{API}/jobs/{job.id}/analyses"

    def asked(**body: Any) -> str:
        answer = client.post(url, json={"kind": "connectivity"} | body)
        assert answer.status_code == 202
        return str(answer.json()["id"])

    one = asked()
    # All the ways to say the same.
    assert (
        asked(checkpoint_id=last.id)
        == asked(per_class=50)
        == asked(seed=0, thresholds=[k / 10 for k in range(1, 11)])
        == one
    )
    others = {asked(checkpoint_id=first.id), asked(seed=1), asked(per_class=51), asked(kind="alignment")}
    assert len(others | {one}) == 5
    with writing() as session:
        session.get_one(Analysis, one).status = "failed"
    again = asked()
    assert again not in others | {one}, "what failed is tried again"
    assert asked() == again
    assert len(client.get(url).json()["items"]) == 6


def test_analyses_are_checked(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    job, other = rows.job(dataset), rows.job(dataset)
    rows.checkpoint(job, 1)
    foreign = rows.checkpoint(other, 1)
    url = f"{API}/jobs/{job.id}/analyses"
    for body, where in (
        ({}, "/kind"),
        ({"kind": "horoscope"}, "/kind"),
        ({"kind": "tail_share", "gammas": [50, 101]}, "/gammas/1"),
        ({"kind": "tail_share", "gammas": []}, "/gammas"),
        ({"kind": "tail_share", "per_class": 3}, "/per_class"),
        ({"kind": "connectivity", "thresholds": [0.5, 0]}, "/thresholds/1"),
        ({"kind": "misclassification", "probe": {"kind": "quadratic"}}, "/probe/kind"),
        ({"kind": "misclassification", "probe": {"kind": "few_shot", "shots": 50}}, "/probe/shots"),
        ({"kind": "cluster_minority", "num_clusters": 11}, "/num_clusters"),
        ({"kind": "uniformity", "checkpoint_id": foreign.id}, "/checkpoint_id"),
        ({"kind": "uniformity", "checkpoint_id": "nothing"}, "/checkpoint_id"),
    ):
        assert pointers(client.post(url, json=body)) == [where], body
    assert client.get(url).json()["items"] == []
    assert pointers(client.get(url, params={"kind": "horoscope"})) == ["?kind"]


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"num_clusters": 11}, "/num_clusters"),  # a run that clusters nothing may have any C
        ({"group_thresholds": {"low": 1, "high": 1}}, "/kind"),  # no class is Few
        ({"group_thresholds": {"low": 2, "high": 2}}, None),
    ],
)
def test_clusters_are_checked_against_the_run(
    client: TestClient, rows: Rows, settings: dict[str, Any], where: str | None
) -> None:
    config = PretrainConfig.resolve({"sampler": "none", "batch_size": 4, **settings})
    job = rows.job(config=config.model_dump(mode="json"))
    rows.checkpoint(job, 1)
    answer = client.post(f"{API}/jobs/{job.id}/analyses", json={"kind": "cluster_minority"})
    if where is None:
        assert answer.status_code == 202
    else:
        assert pointers(answer) == [where]


def test_what_was_found_comes_back_as_it_was_stored(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 5)
    for result in RESULTS:
        row = analysed(job, checkpoint, result)
        shown = client.get(f"{API}/analyses/{row.id}").json()
        assert shown["result"] == result
        assert (shown["status"], shown["epoch"], shown["error"]) == ("succeeded", 5, None)


def test_analyses_are_listed_newest_first_by_kind(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    checkpoint = rows.checkpoint(job, 5)
    made = [analysed(job, checkpoint, RESULTS[kind]).id for kind in (0, 2, 0)]
    url = f"{API}/jobs/{job.id}/analyses"
    page = client.get(url, params={"limit": 2}).json()
    rest = client.get(url, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == made[::-1]
    assert "result" not in page["items"][0], "a list stays light"
    of_kind = client.get(url, params={"kind": "uniformity"}).json()["items"]
    assert [item["id"] for item in of_kind] == [made[2], made[0]]


def test_a_failed_analysis_says_why(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    row = analysed(job, rows.checkpoint(job, 1), status="failed", error="no class is Few")
    shown = client.get(f"{API}/analyses/{row.id}").json()
    assert (shown["status"], shown["error"], shown["result"]) == ("failed", "no class is Few", None)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_checkpoint_that_was_analysed_is_kept(rows: Rows, keep: int) -> None:
    job = rows.job()
    made = [rows.checkpoint(job, epoch) for epoch in (1, 2, 3, 4)]
    analysed(job, made[0])
    with writing() as session:
        dropped = recording.drop_old_checkpoints(session, job.id, keep)
    assert sorted(dropped) == sorted(row.artifact for row in made[1 : 4 - keep])


def test_analyses_go_with_their_job(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    row = analysed(job, rows.checkpoint(job, 1))
    assert client.delete(f"{API}/jobs/{job.id}").status_code == 204
    problem(client.get(f"{API}/analyses/{row.id}"), 404)
