"""Jobs side by side over HTTP."""

from __future__ import annotations

import datetime as dt

from fastapi.testclient import TestClient

from colt_core.config import PretrainConfig
from store.database import writing
from store.models import Dataset, Evaluation, Job, utc_now
from tests.support.problems import pointers, problem
from tests.support.results import Rows

COMPARE = "/api/v1/compare"


def evaluation(rows: Rows, job: Job, epoch: int, accuracy: float | None, kind: str = "linear", age: int = 0) -> None:
    checkpoint = rows.checkpoint(job, epoch)
    with writing() as session:
        session.add(
            Evaluation(
                job_id=job.id,
                checkpoint_id=checkpoint.id,
                kind=kind,
                config={"kind": kind},
                status="queued" if accuracy is None else "succeeded",
                epoch=epoch,
                accuracy=accuracy,
                per_class_accuracy=None if accuracy is None else [accuracy] * 3,
                created_at=utc_now() - dt.timedelta(minutes=age),
            )
        )


def test_settings_results_and_curves_stand_side_by_side(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    config = PretrainConfig.resolve({"preset": "digits", "sampler": "none", "batch_size": 4}).model_dump(mode="json")
    first = rows.job(dataset, config=config)
    older = {key: value for key, value in config.items() if key != "blur_probability"}
    second = rows.job(dataset, config={**older, "seed": 7})
    evaluation(rows, first, 2, 0.5)
    evaluation(rows, first, 9, 0.7)
    evaluation(rows, first, 9, None)  # not done yet
    evaluation(rows, first, 3, 0.9, age=1)  # of an earlier checkpoint, though better
    evaluation(rows, second, 4, 0.25, kind="knn")
    rows.metric(first, "loss", [3.0, 2.0])
    rows.metric(second, "loss", [4.0])
    rows.metric(second, "distribution_loss", [1.0])

    found = client.get(COMPARE, params={"job_id": [second.id, first.id]}).json()
    assert [job["id"] for job in found["jobs"]] == [second.id, first.id]
    assert found["differences"] == {"seed": [7, 0], "blur_probability": [None, 0.0]}
    assert set(found["evaluations"]) == {"knn", "linear"}
    nothing, linear = found["evaluations"]["linear"]
    assert nothing is None
    assert (linear["epoch"], linear["accuracy"], linear["per_class_accuracy"]) == (9, 0.7, [0.7] * 3)
    assert found["curves"] == {
        "distribution_loss": [{"step": [1], "value": [1.0]}, None],
        "loss": [{"step": [1], "value": [4.0]}, {"step": [1, 2], "value": [3.0, 2.0]}],
    }


def test_it_takes_two_jobs_that_exist(client: TestClient, rows: Rows) -> None:
    job = rows.job()
    assert pointers(client.get(COMPARE, params={"job_id": job.id})) == ["?job_id"]
    problem(client.get(COMPARE, params={"job_id": [job.id, "nothing"]}), 404)


def test_jobs_on_different_data_are_compared_with_a_warning(client: TestClient, rows: Rows) -> None:
    few, many = rows.dataset("few"), rows.dataset("many")
    with writing() as session:
        session.get_one(Dataset, many.id).class_counts = [9, 9, 9]
    picking = {"sampler": "colt", "config": PretrainConfig.resolve({"preset": "digits"}).model_dump(mode="json")}
    jobs = [rows.job(few, rows.pool("a"), **picking), rows.job(many, rows.pool("b"), **picking), rows.job(few)]

    found = client.get(COMPARE, params={"job_id": [job.id for job in jobs]}).json()
    assert found["same_data"] is False
    named = {name: [entry and entry["name"] for entry in found["data_differences"].pop(name)] for name in DATA}
    assert named == {
        "dataset": ["few", "many", "few"],
        "evaluated_on": ["few", "many", "few"],
        "ood_pool": ["a", "b", None],
    }
    assert found["data_differences"] == {"class_counts": [[6, 3, 1], [9, 9, 9], [6, 3, 1]]}
    told = {warning["code"]: (warning["count"], warning["examples"]) for warning in found["warnings"]}
    assert told == {
        "different_datasets": (2, ["few", "many"]),
        "different_test_images": (2, ["few", "many"]),
        "different_pools": (2, ["a", "b"]),
    }


DATA = ("dataset", "evaluated_on", "ood_pool")


def test_the_same_data_raise_no_warning(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    picking = {"sampler": "colt", "config": PretrainConfig.resolve({"preset": "digits"}).model_dump(mode="json")}
    jobs = [rows.job(dataset), rows.job(dataset, rows.pool(), **picking)]  # what a pool adds is a setting
    again = rows.dataset("registered again")
    with writing() as session:
        for row_id in (dataset.id, again.id):
            session.get_one(Dataset, row_id).files = {
                name: {"bytes": 1, "sha256": f"of {name}"} for name in ("images.npy", "labels.npy")
            }
    jobs.append(rows.job(again))
    found = client.get(COMPARE, params={"job_id": [job.id for job in jobs]}).json()
    assert (found["same_data"], found["data_differences"], found["warnings"]) == (True, {}, [])
