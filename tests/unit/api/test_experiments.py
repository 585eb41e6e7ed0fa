"""Experiments over HTTP: submission, progress, cancelling, further seeds, deletion."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from store.database import writing
from store.models import Job, utc_now
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers, problem
from tests.support.results import Rows
from tests.support.settings import settings_of

API = "/api/v1"
COMMON = {"preset": "digits", "batch_size": 4, "num_clusters": 2, "sample_budget": 4}
ARMS = [
    {"name": "matched", "config": {"sampler": "none", "match_steps": True}},
    {"name": "COLT", "config": {"sampler": "colt"}},
]


def body(rows: Rows, **changed: Any) -> dict[str, Any]:
    wanted = {"name": "e", "dataset_ids": [rows.dataset().id], "ood_pool_id": rows.pool().id, "config": COMMON}
    return {**wanted, "arms": ARMS, "seeds": [0, 5], **changed}


def submitted(client: TestClient, wanted: dict[str, Any]) -> str:
    answer = client.post(f"{API}/experiments", json=wanted)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def set_jobs(where: Any = None, **values: Any) -> None:
    with writing() as session:
        statement = update(Job).values(**values)
        session.execute(statement if where is None else statement.where(where))


def all_jobs(client: TestClient) -> list[dict[str, Any]]:
    return list(client.get(f"{API}/jobs", params={"limit": 1000, "order": "created_at"}).json()["items"])


def test_every_combination_becomes_an_ordinary_job(client: TestClient, rows: Rows) -> None:
    first, second = rows.dataset("first"), rows.dataset("second")
    wanted = body(rows, dataset_ids=[first.id, second.id], protocol="why: the tail\n", evaluations=["knn", "linear"])
    answer = client.post(f"{API}/experiments", json=wanted)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"
    shown = client.get(answer.headers["location"]).json()
    assert (shown["status"], shown["finished"], shown["total"], shown["eta_seconds"]) == ("queued", 0, 8, None)
    assert (shown["protocol"], shown["baseline"], shown["seeds"]) == ("why: the tail\n", "matched", [0, 5])
    assert [(arm["name"], arm["config"]["sampler"], arm["ood_pool_id"]) for arm in shown["arms"]] == [
        ("matched", "none", None),
        ("COLT", "colt", wanted["ood_pool_id"]),
    ]
    # The common setting of COLT's alone is not one of the arm without rounds.
    assert "sample_interval" not in shown["arms"][0]["config"]
    runs = {(run["arm"], run["dataset_id"], run["seed"]): run for run in shown["jobs"]}
    assert len(runs) == 8
    jobs = {job["id"]: job for job in all_jobs(client)}
    for (arm, dataset_id, seed), run in runs.items():
        job = jobs.pop(run["job_id"])
        assert (job["dataset_id"], job["config"]["seed"], job["evaluations"]) == (dataset_id, seed, ["knn", "linear"])
        assert job["config"]["sampler"] == ("colt" if arm == "COLT" else "none")
        name = "first" if dataset_id == first.id else "second"
        assert job["name"] == f"e: {arm}, {name}, seed {seed}"
    assert jobs == {}
    # Whole pairs come first in the queue.
    positions = {
        run["job_id"]: client.get(f"{API}/jobs/{run['job_id']}").json()["queue_position"] for run in runs.values()
    }
    order = [
        (run["seed"], run["dataset_id"]) for run in sorted(runs.values(), key=lambda run: positions[run["job_id"]])
    ]
    assert order == [(seed, row) for seed in (0, 5) for row in (first.id, second.id) for _ in ARMS]
    (listed,) = client.get(f"{API}/experiments").json()["items"]
    assert (listed["id"], listed["total"], listed["status"]) == (shown["id"], 8, "queued")


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"dataset_ids": []}, ["/dataset_ids"]),
    ({"dataset_ids": ["nothing"]}, ["/dataset_ids/0"]),
    ({"ood_pool_id": "nothing"}, ["/ood_pool_id"]),
    ({"ood_pool_id": None}, ["/arms/1/config/sampler"]),
    ({"seeds": []}, ["/seeds"]),
    ({"seeds": [1, 1]}, ["/seeds"]),
    ({"seeds": [-1]}, ["/seeds/0"]),
    ({"seeds": [True]}, ["/seeds/0"]),
    ({"arms": [ARMS[1], {**ARMS[0], "ood_pool_id": "unread"}]}, ["/arms/1/ood_pool_id"]),
    ({"arms": None}, ["/arms"]),
    ({"arms": ARMS[:1]}, ["/arms"]),
    ({"arms": [ARMS[0], {**ARMS[1], "name": "matched"}]}, ["/arms/1/name"]),
    ({"arms": [*ARMS, {**ARMS[1], "name": "again"}]}, ["/arms/2"]),
    ({"arms": [*ARMS, {"name": "x", "backbone_id": "y"}]}, ["/arms/2/backbone_id"]),
    ({"arms": [*ARMS, {"name": "x", "config": {"sample_budget": 9}}]}, ["/arms/2/config/sample_budget"]),
    ({"arms": [*ARMS, {"name": "x", "config": {"redraw": True}}]}, ["/arms/2/config/redraw"]),
    (
        {"arms": [*ARMS, {"name": "x", "config": {"group_thresholds": {"low": -1, "high": 3}}}]},
        ["/arms/2/config/group_thresholds/low"],
    ),
    ({"arms": [*ARMS, {"name": "x", "config": {"seed": 1}}]}, ["/arms/2/config/seed"]),
    ({"arms": [*ARMS, {"name": "x", "ood_pool_id": "nothing"}]}, ["/arms/2/ood_pool_id"]),
    ({"arms": [*ARMS, {"name": "x", "train_on": ["nothing"], "config": {"seed": 1}}]}, ["/arms/2/config/seed"]),
    ({"arms": [*ARMS, {"name": "x", "train_on": ["nothing"]}]}, ["/arms/2/train_on/0"]),
    ({"arms": [*ARMS, {"name": "x", "train_on": ["a", "b"]}]}, ["/arms/2/train_on"]),
    ({"config": {**COMMON, "seed": 1}}, ["/config/seed"]),
    ({"config": {**COMMON, "redraw": True}}, ["/config/redraw"]),  # of a sampler that no arm has
    ({"config": {**COMMON, "sampler": "random"}}, ["/config/sampler"]),  # which every arm gives itself
    ({"config": {**COMMON, "batch_size": 11}}, ["/config/batch_size"]),
    ({"config": {**COMMON, "epochs": 0}}, ["/config/epochs"]),
    ({"config": {**COMMON, "unheard_of": 0}}, ["/config/unheard_of"]),
    ({"evaluations": ["quadratic"]}, ["/evaluations/0"]),
    ({"baseline": "colt"}, ["/baseline"]),
    ({"balanced_dataset_ids": ["a"]}, ["/balanced_dataset_ids"]),
    ({"template": "did-it-help"}, ["/arms"]),
    ({"template": "did-it-helps", "arms": None}, ["/template"]),
    ({"template": "ablation-top-k", "arms": None, "balanced_dataset_ids": ["a"]}, ["/balanced_dataset_ids"]),
    ({"template": "did-it-help", "arms": None, "balanced_dataset_ids": ["nothing"]}, ["/balanced_dataset_ids/0"]),
    ({"template": "did-it-help", "arms": None, "config": {**COMMON, "sample_budget": 9}}, ["/config/sample_budget"]),
    ({"template": "did-it-help", "arms": None, "ood_pool_id": None}, ["/template"]),
    (
        {"seeds": list(range(100)), "arms": [{"name": str(n), "config": {"epochs": 20 + n}} for n in range(11)]},
        ["/seeds"],
    ),
    ({"protocol": "a\u202eb"}, ["/protocol"]),
]


def test_what_cannot_run_is_refused_and_nothing_is_written(client: TestClient, rows: Rows) -> None:
    right = body(rows)
    for change, where in WRONG:
        answer = client.post(f"{API}/experiments", json={**right, **change})
        assert answer.status_code == 422, change
        assert sorted(set(pointers(answer))) == where, (change, answer.text)
        estimate = client.post(f"{API}/experiments/estimate", json={**right, **change})
        assert (estimate.status_code, estimate.json()["errors"]) == (422, answer.json()["errors"]), change
    assert all_jobs(client) == client.get(f"{API}/experiments").json()["items"] == []


def test_problems_of_all_arms_are_answered_at_once_in_words(client: TestClient, rows: Rows) -> None:
    arms = [*ARMS, {"name": "x", "config": {"sample_budget": 9}}, {"name": "y", "config": {"num_clusters": 11}}]
    answer = problem(client.post(f"{API}/experiments", json=body(rows, arms=arms)), 422)
    assert answer["errors"] == [
        {"pointer": "/arms/2/config/sample_budget", "detail": "9 is more than the 8 images of the pool"},
        {"pointer": "/arms/3/config/num_clusters", "detail": "11 is more than the 10 training images"},
    ]
    too_large = {**COMMON, "num_clusters": 11}
    told = problem(client.post(f"{API}/experiments", json=body(rows, config=too_large)), 422)["detail"]
    assert told == "config/num_clusters: arm 'COLT': 11 is more than the 10 training images"


def test_what_is_large_together_needs_a_word(client: TestClient, rows: Rows) -> None:
    wanted = body(rows)
    kept = [
        client.post(
            f"{API}/jobs/estimate", json={"dataset_id": wanted["dataset_ids"][0], "ood_pool_id": pool, "config": config}
        )
        for pool, config in ((None, {**COMMON, **ARMS[0]["config"]}), (wanted["ood_pool_id"], COMMON))  # type: ignore[dict-item]
    ]
    one = max(answer.json()["kept_bytes"] + answer.json()["database_bytes"] for answer in kept)
    with settings_of({"COLT_LARGE_STORED_BYTES": str(one + 1)}):  # each alone is not large
        answer = client.post(f"{API}/experiments", json=wanted)
        assert pointers(answer) == ["/seeds"]
        assert "4 jobs keep" in answer.json()["detail"] and "accept_cost" in answer.json()["detail"]
        estimate = client.post(f"{API}/experiments/estimate", json=wanted).json()
        assert estimate["large"] == answer.json()["errors"]
        location = submitted(client, {**wanted, "accept_cost": True})
        assert pointers(client.post(f"{location}/seeds", json={"seeds": [7]})) == ["/seeds"]
        assert client.post(f"{location}/seeds", json={"seeds": [7], "accept_cost": True}).status_code == 202


def test_an_estimate_is_of_all_jobs_and_queues_none(client: TestClient, rows: Rows) -> None:
    wanted = body(rows)
    found = client.post(f"{API}/experiments/estimate", json=wanted).json()
    assert all_jobs(client) == client.get(f"{API}/experiments").json()["items"] == []
    location = submitted(client, wanted)
    costs = [client.get(f"{API}/jobs/{job['id']}").json()["estimate"] for job in all_jobs(client)]
    assert (found["jobs"], found["large"]) == (4, [])
    assert found["steps"] == sum(cost["steps"] for cost in costs) > 0
    assert found["stored_bytes"] == sum(cost["kept_bytes"] + cost["database_bytes"] for cost in costs)
    assert found["memory_bytes"] == max(cost["memory_bytes"] for cost in costs)
    shown = client.get(location).json()
    assert [(arm["name"], arm["config"], arm["jobs"]) for arm in found["arms"]] == [
        (arm["name"], arm["config"], 2) for arm in shown["arms"]
    ]
    assert sum(arm["steps"] for arm in found["arms"]) == found["steps"]
    # A run says how far its job is.
    assert all(run["progress"]["step"] == 0 and run["progress"]["epochs"] > 0 for run in shown["jobs"])


def test_a_full_queue_queues_none(client: TestClient, rows: Rows) -> None:
    with settings_of({"COLT_MAX_QUEUED": "3"}):
        told = problem(client.post(f"{API}/experiments", json=body(rows)), 429)["detail"]
    assert "0 jobs without a token wait in the queue, and 4 more are over the limit of 3" in str(told)
    assert all_jobs(client) == client.get(f"{API}/experiments").json()["items"] == []


def test_a_key_queues_an_experiment_once(client: TestClient, rows: Rows) -> None:
    wanted = body(rows)

    def submit(_: int = 0, **more: Any) -> Any:
        return client.post(f"{API}/experiments", json=wanted | more, headers={"Idempotency-Key": "k"})

    with ThreadPoolExecutor(4) as pool:
        assert len({answer.json()["id"] for answer in pool.map(submit, range(6))}) == 1
    assert len(all_jobs(client)) == 4
    assert "Idempotency-Key" in str(problem(submit(name="other"), 409)["detail"])


def test_progress_and_time_left(client: TestClient, rows: Rows) -> None:
    location = submitted(client, body(rows))
    runs = client.get(location).json()["jobs"]
    steps = client.get(f"{API}/jobs/{runs[0]['job_id']}").json()["estimate"]["steps"]
    now = utc_now()
    done = {
        "status": "succeeded",
        "steps": 100,
        "step": 100,
        "started_at": now - dt.timedelta(seconds=50),
        "finished_at": now,
    }
    set_jobs(Job.id == runs[0]["job_id"], **done)  # 0.5 s a step
    set_jobs(Job.id == runs[1]["job_id"], status="running", steps=steps, step=10, eta_seconds=30.0)
    shown = client.get(location).json()
    assert (shown["status"], shown["finished"], shown["total"]) == ("running", 1, 4)
    assert shown["eta_seconds"] == pytest.approx(30 + 2 * steps * 0.5)
    set_jobs(Job.id == runs[2]["job_id"], status="running", steps=steps, step=steps - 20, eta_seconds=10.0)
    assert client.get(location).json()["eta_seconds"] == pytest.approx((30 + 10 + steps * 0.5) / 2)
    set_jobs(status="succeeded", eta_seconds=None)
    shown = client.get(location).json()
    assert (shown["status"], shown["finished"], shown["eta_seconds"]) == ("succeeded", 4, None)
    found = client.get(f"{location}/results").json()  # which no worker has evaluated
    assert (found["pairs"], len(found["missing"])) == ([], 4)
    for status, becomes in (("failed", "failed"), ("cancelling", "cancelling"), ("queued", "running")):
        set_jobs(Job.id == runs[0]["job_id"], status=status)
        assert client.get(location).json()["status"] == becomes


def test_cancel_then_resume_makes_it_whole(client: TestClient, rows: Rows) -> None:
    location = submitted(client, body(rows))
    runs = client.get(location).json()["jobs"]
    assert "nothing to resume" in str(problem(client.post(f"{location}/resume"), 409)["detail"])
    set_jobs(Job.id == runs[0]["job_id"], status="succeeded")
    set_jobs(Job.id == runs[1]["job_id"], status="running")
    assert client.post(f"{location}/cancel").json()["status"] == "cancelling"
    assert [run["status"] for run in client.get(location).json()["jobs"]] == [
        *("succeeded", "cancelling", "cancelled", "cancelled")
    ]
    assert "nothing to cancel" in str(problem(client.post(f"{location}/cancel"), 409)["detail"])
    set_jobs(Job.id == runs[1]["job_id"], status="failed", error="why")
    assert client.delete(f"{API}/jobs/{runs[2]['job_id']}").status_code == 204
    shown = client.get(location).json()
    assert (shown["status"], shown["finished"], shown["total"]) == ("failed", 4, 4)
    assert [(run["job_id"] is None, run["error"]) for run in shown["jobs"]] == [
        *((False, None), (False, "why"), (True, None), (False, None))
    ]
    assert client.post(f"{location}/resume").json()["status"] == "running"
    resumed = client.get(location).json()["jobs"]
    assert [run["status"] for run in resumed] == ["succeeded", "queued", "queued", "queued"]
    assert [run["job_id"] == old["job_id"] for run, old in zip(resumed, runs, strict=True)] == [True, True, False, True]
    anew = client.get(f"{API}/jobs/{resumed[2]['job_id']}").json()
    assert (anew["config"]["sampler"], anew["config"]["seed"], resumed[2]["arm"]) == ("colt", 0, "COLT")


def test_further_seeds_have_the_same_settings(client: TestClient, rows: Rows) -> None:
    location = submitted(client, body(rows))
    before = client.get(location).json()
    answer = client.post(f"{location}/seeds", json={"seeds": [3]})
    assert answer.status_code == 202, answer.text
    shown = client.get(location).json()
    assert (shown["seeds"], shown["total"], shown["arms"]) == ([0, 5, 3], 6, before["arms"])
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for run in shown["jobs"]:
        config = client.get(f"{API}/jobs/{run['job_id']}").json()["config"]
        assert config.pop("seed") == run["seed"]
        by_arm.setdefault(run["arm"], []).append(config)
    assert all(config == configs[0] for configs in by_arm.values() for config in configs)
    assert pointers(client.post(f"{location}/seeds", json={"seeds": [3, 4]})) == ["/seeds"]
    assert pointers(client.post(f"{location}/seeds", json={"seeds": []})) == ["/seeds"]
    assert len(client.get(location).json()["jobs"]) == 6


def test_deletion_keeps_the_jobs_unless_asked(client: TestClient, rows: Rows) -> None:
    location = submitted(client, body(rows))
    assert client.delete(location).status_code == 204
    problem(client.get(location), 404)
    assert len(all_jobs(client)) == 4
    other = submitted(client, body(rows))
    set_jobs(Job.name.startswith("e: COLT"), status="running")
    assert "cancel it first" in str(problem(client.delete(other, params={"with_jobs": True}), 409)["detail"])
    assert len(client.get(other).json()["jobs"]) == 4
    set_jobs(status="succeeded")
    assert client.delete(other, params={"with_jobs": True}).status_code == 204
    assert len(all_jobs(client)) == 4


def test_an_arm_may_train_on_other_data_and_is_evaluated_on_the_same(client: TestClient, rows: Rows) -> None:
    balanced = rows.dataset("balanced", class_counts=[4, 3, 3])
    wanted = {**body(rows), "template": "did-it-help", "balanced_dataset_ids": [balanced.id], "seeds": [0]}
    del wanted["arms"]
    shown = client.get(submitted(client, wanted)).json()
    assert [arm["name"] for arm in shown["arms"]] == [
        "SimCLR, matched steps",
        "SimCLR",
        "SimCLR, random OOD images",
        "SimCLR with COLT",
        "SimCLR, balanced data",
    ]
    assert shown["evaluations"] == ["linear", "few_shot"]
    jobs = [client.get(f"{API}/jobs/{run['job_id']}").json() for run in shown["jobs"]]
    assert [(job["dataset_id"], job["evaluation_dataset_id"]) for job in jobs] == [
        *([(wanted["dataset_ids"][0], None)] * 4),
        (balanced.id, wanted["dataset_ids"][0]),
    ]
    # As many steps as those with OOD images; plain pretraining has fewer.
    steps = [job["estimate"]["steps"] for job in jobs]
    assert steps[0] == steps[2] == steps[3] > steps[1]


def test_a_control_that_is_not_balanced_is_refused(client: TestClient, rows: Rows) -> None:
    beside = rows.dataset("cut", class_counts=[60, 30, 10])
    wanted = {**body(rows), "template": "did-it-help", "dataset_ids": [beside.id], "seeds": [0]}
    del wanted["arms"]

    def answered(url: str, *controls: str, **changed: Any) -> Any:
        return client.post(f"{API}/{url}", json={**wanted, "balanced_dataset_ids": controls, **changed})

    others = rows.dataset("others", class_names=["ant", "bee", "cow"], class_counts=[34, 33, 33])
    small, large = rows.dataset("small", class_counts=[30] * 3), rows.dataset("large", class_counts=[37] * 3)
    for control, reason in (
        (rows.dataset("long tail", class_counts=[60, 30, 10]), "classes have 10 to 60 training images"),
        (rows.dataset("uneven", class_counts=[36, 32, 32]), "classes have 32 to 36 training images"),
        (others, "has other classes than 'cut'"),
        (small, "'small' has 90 training images, 'cut' has 100"),
        (large, "'large' has 111 training images, 'cut' has 100"),
        (beside, "'cut' is the data set that it is a control for"),
        (rows.unlabelled(count=12), "has no labels"),
    ):
        for url in ("experiments", "experiments/estimate"):
            answer = answered(url, control.id)
            assert pointers(answer) == ["/balanced_dataset_ids/0"], (reason, answer.text)
            assert reason in answer.text
            assert "profile 'balanced'" in answer.text
    assert all_jobs(client) == []

    right = [rows.dataset(name, class_counts=counts).id for name, counts in (("a", [34, 33, 33]), ("b", [33, 32, 30]))]
    second = rows.dataset("second", class_counts=[10, 30, 60]).id
    assert pointers(answered("experiments", right[0], small.id, dataset_ids=[beside.id, second])) == [
        "/balanced_dataset_ids/1"
    ]
    assert answered("experiments", *right, dataset_ids=[beside.id, second]).status_code == 202


def test_an_arm_without_ood_images_has_no_pool(client: TestClient, rows: Rows) -> None:
    control = {"name": "ID images", "config": {"sampler": "idfill"}}
    shown = client.get(submitted(client, wanted := body(rows, arms=[control, ARMS[1]], seeds=[0]))).json()
    pools = [wanted["ood_pool_id"] if arm["name"] == "COLT" else None for arm in shown["arms"]]
    assert pools[0] is None
    assert [arm["ood_pool_id"] for arm in shown["arms"]] == pools
    jobs = [client.get(f"{API}/jobs/{run['job_id']}").json() for run in shown["jobs"]]
    assert [job["ood_pool_id"] for job in jobs] == pools


def test_too_many_balanced_data_sets_are_refused_in_words(client: TestClient, rows: Rows) -> None:
    wanted = body(rows, template="did-it-help", balanced_dataset_ids=["a", "b"])
    del wanted["arms"]
    answer = client.post(f"{API}/experiments", json=wanted)
    assert pointers(answer) == ["/balanced_dataset_ids"]
    assert "'SimCLR, balanced data' trains on 2 data sets: name one" in answer.text
    assert "or 1" not in answer.text


def test_the_experiment_that_is_not_there(client: TestClient) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/resume"), ("GET", "/results")):
        problem(client.request(method, f"{API}/experiments/none{path}"), 404)
    problem(client.post(f"{API}/experiments/none/seeds", json={"seeds": [1]}), 404)
