"""Jobs that differ by their seed alone, as one item of a list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from fastapi.testclient import TestClient

from colt_core.config import PretrainConfig
from store.models import Job, utc_now
from tests.conftest import database_url as database_url  # runs once on each engine
from tests.support.problems import pointers
from tests.support.results import Rows

JOBS = "/api/v1/jobs"
NOW = utc_now()


def config(seed: int, **settings: Any) -> dict[str, Any]:
    wanted = {"preset": "digits", "sampler": "none", "batch_size": 4, "seed": seed} | settings
    return PretrainConfig.resolve(wanted).model_dump(mode="json")


def groups(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(JOBS, params={"group_by": "settings", **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_jobs_that_differ_by_seed_alone_are_one_item(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    ages = iter(range(100, 0, -1))

    def job(seed: int, accuracy: float | None = None, few: float | None = None, **values: Any) -> Job:
        settings = values.pop("settings", {})
        std = None if few is None else few / 2
        found = {"accuracy": accuracy, "few": few, "std": std, "created_at": NOW - dt.timedelta(minutes=next(ages))}
        return rows.job(values.pop("dataset", dataset), config=config(seed, **settings), **found, **values)

    # Mean 0.5, sd 0.1 of 0.4, 0.5, 0.6; the repeated and the failed run do not count.
    plain = [job(0, 0.9), job(0, 0.4, 0.1), job(1, 0.5, 0.2)]
    plain += [job(3, 0.0, status="failed"), job(2, 0.6, settings={"device": "cpu", "checkpoint_interval": 7})]
    warm = job(0, 0.7, settings={"temperature": 0.5})
    elsewhere = job(1, 0.7, dataset=rows.dataset())
    by_knn = job(4, 0.7, evaluations=["knn", "linear"])
    started = job(5, start_from={"checkpoint_id": "a", "job_id": "b", "epoch": 3})
    listed = groups(client)
    assert [item["id"] for item in listed] == [started.id, by_knn.id, elsewhere.id, warm.id, plain[-1].id]
    runs = [[run["id"] for run in item["runs"]] for item in listed]
    assert runs == [[started.id], [by_knn.id], [elsewhere.id], [warm.id], [row.id for row in reversed(plain)]]
    last = listed[-1]
    assert last["runs"][1] == {"id": plain[3].id, "seed": 3, "status": "failed"}
    assert last["accuracies"] == {"n": 3, "mean": pytest.approx(0.5), "sd": pytest.approx(0.1)}
    # 0.1 and 0.2: sd sqrt(0.005).
    assert last["fews"] == {"n": 2, "mean": pytest.approx(0.15), "sd": pytest.approx(0.005**0.5)}
    assert last["stds"] == {"n": 2, "mean": pytest.approx(0.075), "sd": pytest.approx(0.005**0.5 / 2)}
    assert listed[0]["accuracies"] == {"n": 0, "mean": None, "sd": None}
    assert last["config"]["seed"] == 2

    assert [item["id"] for item in groups(client, status="failed")] == [plain[3].id]
    first = client.get(JOBS, params={"group_by": "settings", "limit": 4}).json()
    second = groups(client, cursor=first["next_cursor"], limit=4)
    assert [item["id"] for item in [*first["items"], *second]] == [item["id"] for item in listed]


def test_groups_come_by_their_newest_job(client: TestClient, rows: Rows) -> None:
    rows.job()
    rows.job()
    assert pointers(client.get(JOBS, params={"group_by": "settings", "order": "-accuracy"})) == ["?order"]
    assert pointers(client.get(JOBS, params={"group_by": "seed"})) == ["?group_by"]
    of_jobs = client.get(JOBS, params={"limit": 1}).json()["next_cursor"]
    assert pointers(client.get(JOBS, params={"group_by": "settings", "cursor": of_jobs})) == ["?cursor"]
    assert "runs" not in client.get(JOBS).json()["items"][0]
