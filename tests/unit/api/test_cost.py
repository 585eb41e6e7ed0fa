"""The cost of jobs and registrations: estimated, compared with workers and disks, accepted or
refused."""

from __future__ import annotations

import datetime as dt
import io
import itertools
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from colt_core.config import PretrainConfig
from colt_core.cost.memory import Activations
from store.artifacts import get_artifacts
from store.database import writing
from store.devices import Devices
from store.models import Dataset, utc_now
from store.repositories import activations, workers
from store.settings import get_settings
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"
GB = 10**9
SMALL = {"preset": "digits", "sampler": "none", "batch_size": 4}
ROUNDS = {"warmup_epochs": 1, "sample_interval": 1, "sample_budget": 2, "num_clusters": 2, "batch_size": 4}


@pytest.fixture
def dataset(rows: Rows) -> Dataset:
    """Its row has 50,000 training images, and its files fewer."""
    return rows.dataset(image_size=8, split_sizes={"train": 50_000})


def reports(name: str, devices: Devices) -> None:
    """A live worker's heartbeat."""
    with writing() as session:
        workers.beat(session, name, dt.timedelta(hours=1), devices)


@pytest.fixture
def small_worker(home: object) -> None:
    reports("small", Devices(cpu_cores=2, memory_bytes=4 * GB))


def asked(client: TestClient, path: str, dataset: Dataset, config: dict[str, Any], **more: Any) -> Any:
    body = {"dataset_id": dataset.id, "evaluations": [], "config": config, **more}
    return client.post(f"{API}/jobs{path}", json=body)


def without_room(estimate: Any) -> dict[str, Any]:
    """Without what changes from one moment to the next, and what a refusal leaves out."""
    changing = {"artifacts_bytes", "database_bytes"}
    capacity = {name: value for name, value in estimate["capacity"].items() if name not in changing}
    more = ("config", "seconds")
    return {name: value for name, value in estimate.items() if name not in more} | {"capacity": capacity}


CANNOT: list[tuple[dict[str, Any], int, str, str]] = [
    ({"num_processes": 1024, "batch_size": 4096, "device": "cpu"}, 4, "/config/num_processes", "2 cores"),
    ({"backbone": "resnet50", "width": 256, "batch_size": 32_768}, 64, "/config/batch_size", "choose at most "),
    ({"backbone": "resnet50", "width": 256, "batch_size": 32_768}, 4, "/config/width", "whatever the batch"),
]


@pytest.mark.parametrize(("change", "gigabytes", "where", "what"), CANNOT)
def test_a_job_that_no_worker_can_hold_is_refused_with_what_to_change(
    client: TestClient, dataset: Dataset, change: dict[str, Any], gigabytes: int, where: str, what: str
) -> None:
    reports("only", Devices(cpu_cores=2, memory_bytes=gigabytes * GB))
    refused = asked(client, "", dataset, SMALL | change, accept_cost=True)
    told = problem(refused, 422)
    assert where in pointers(refused) and what in str(told["detail"])
    assert told["estimate"]["misfits"] == told["errors"]
    shown = asked(client, "/estimate", dataset, SMALL | change)
    assert shown.status_code == 200 and without_room(shown.json()) == without_room(told["estimate"])
    assert client.get(f"{API}/jobs").json()["items"] == []


def test_the_batch_that_it_advises_fits_and_a_larger_one_does_not(
    client: TestClient, dataset: Dataset, small_worker: None
) -> None:
    config = SMALL | {"backbone": "resnet50", "width": 64, "batch_size": 32_768}
    told = problem(asked(client, "", dataset, config), 422)
    advised = int(str(told["errors"][0]["detail"]).rpartition(" ")[2])
    assert asked(client, "/estimate", dataset, config | {"batch_size": advised}).json()["misfits"] == []
    assert asked(client, "/estimate", dataset, config | {"batch_size": advised + 1}).json()["misfits"] != []
    assert "GB more than the largest worker has" in str(told["detail"])


LARGE: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 100_000, "checkpoint_interval": 1}, "/config/checkpoint_interval"),
    ({"epochs": 100_000, "sampler": "colt", "checkpoint_interval": 1000, **ROUNDS}, "/config/sample_interval"),
    ({"epochs": 1000, "batch_size": 4}, "/config/epochs"),
]


@pytest.mark.parametrize(("change", "where"), LARGE)
def test_a_large_job_needs_its_cost_accepted(
    client: TestClient, rows: Rows, dataset: Dataset, change: dict[str, Any], where: str
) -> None:
    pool = rows.pool()
    small = rows.dataset() if change["epochs"] == 100_000 else dataset
    config = SMALL | change
    more = {"ood_pool_id": pool.id} if config["sampler"] == "colt" else {}
    refused = asked(client, "", small, config, **more)
    assert where in pointers(refused)
    assert '"accept_cost": true' in str(problem(refused, 422)["detail"])
    assert problem(refused, 422)["estimate"]["misfits"] == []
    accepted = asked(client, "", small, config, accept_cost=True, **more)
    assert accepted.status_code == 202, accepted.text
    kept = client.get(accepted.headers["location"]).json()["estimate"]
    assert where in [item["pointer"] for item in kept["large"]]
    assert kept["capacity"]["workers"] == "none" and kept["capacity"]["memory_bytes"] is None


def test_an_estimate_resolves_the_settings_and_takes_its_time_from_a_run_like_it(
    client: TestClient, rows: Rows, dataset: Dataset
) -> None:
    shown = asked(client, "/estimate", dataset, SMALL).json()
    assert shown["seconds"] is None
    assert shown["config"] == PretrainConfig.resolve(SMALL).model_dump(mode="json")
    begun = utc_now()
    ended = {"status": "succeeded", "attempts": 1, "steps": 50, "started_at": begun}
    rows.job(dataset, config=shown["config"], finished_at=begun + dt.timedelta(seconds=100), **ended)
    # Neither another batch nor other data say how long it takes.
    rows.job(dataset, config=shown["config"] | {"batch_size": 8}, finished_at=begun, **ended)
    rows.job(config=shown["config"], finished_at=begun, **ended)
    assert asked(client, "/estimate", dataset, SMALL).json()["seconds"] == 2 * shown["steps"]


def test_an_ordinary_job_is_taken_and_keeps_its_estimate(client: TestClient, rows: Rows, small_worker: None) -> None:
    dataset = rows.dataset()
    accepted = asked(client, "", dataset, SMALL)
    kept = client.get(accepted.headers["location"]).json()["estimate"]
    assert without_room(kept) == without_room(asked(client, "/estimate", dataset, SMALL).json())
    assert (kept["large"], kept["misfits"], kept["measured"]) == ([], [], False)
    assert kept["capacity"]["workers"] == "live" and kept["capacity"]["cpu_cores"] == 2
    assert kept["steps"] == 180 and kept["checkpoints"] == 12
    assert all("estimate" not in item for item in client.get(f"{API}/jobs").json()["items"])
    assert client.get(f"{API}/jobs/{rows.job().id}").json()["estimate"] is None  # of an earlier version


def test_the_worker_that_it_fits_best_counts(client: TestClient, dataset: Dataset, small_worker: None) -> None:
    config = SMALL | {"num_processes": 4, "batch_size": 512, "device": "cpu"}
    assert pointers(asked(client, "", dataset, config)) == ["/config/num_processes"]
    reports("large", Devices(cpu_cores=8, memory_bytes=64 * GB))
    assert asked(client, "/estimate", dataset, config).json()["capacity"]["cpu_cores"] == 8
    assert asked(client, "", dataset, config).status_code == 202


def test_a_gpu_is_compared_by_its_own_memory(client: TestClient, dataset: Dataset) -> None:
    config = SMALL | {"backbone": "resnet50", "batch_size": 32_768}
    for name, memory in (("tesla", 16 * GB), ("h200", 10_000 * GB)):
        reports(name, Devices(16, ("GPU",), 64 * GB, (memory,), bf16=True))
        found = asked(client, "/estimate", dataset, config).json()
        assert (found["device"], found["precision"]) == ("cuda", "bf16")
        assert [item["pointer"] for item in found["misfits"]] == (["/config/batch_size"] if name == "tesla" else [])
    assert found["capacity"]["gpu_bytes"] == 10_000 * GB


def test_without_a_live_worker_those_that_were_there_count(
    client: TestClient, dataset: Dataset, small_worker: None
) -> None:
    with writing() as session:
        workers.forget(session, "small")
    found = asked(client, "/estimate", dataset, SMALL | {"backbone": "resnet50", "batch_size": 32_768}).json()
    assert found["capacity"]["workers"] == "earlier"
    assert [item["pointer"] for item in found["misfits"]] == ["/config/batch_size"]


def test_what_a_worker_measured_is_used(client: TestClient, dataset: Dataset) -> None:
    config = PretrainConfig.resolve(SMALL)
    before = asked(client, "/estimate", dataset, SMALL).json()
    with writing() as session:
        activations.put(session, activations.encoder_key(config, 8, "fp32"), Activations(1e9, 5))
    after = asked(client, "/estimate", dataset, SMALL).json()
    assert (before["measured"], after["measured"]) == (False, True)
    assert after["memory"]["step"] > 8e9 > before["memory"]["step"]


def test_what_the_disks_have_no_room_for_is_refused(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_DISK_FLOOR", "0.999999")  # so that there is room for almost nothing
    get_settings.cache_clear()
    refused = asked(client, "", dataset, SMALL, accept_cost=True)
    assert pointers(refused) == ["/config/width", "/config/epochs"]
    assert "room" in str(problem(refused, 422)["detail"])


@pytest.mark.parametrize("declared", [True, False])
def test_an_upload_stops_at_the_floor_of_the_disk(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    monkeypatch.setenv("COLT_DISK_FLOOR", "0.999999")
    get_settings.cache_clear()
    content = bytes(2**20) if declared else itertools.repeat(bytes(2**20), 2)
    refused = client.post(f"{API}/uploads?filename=a.zip", content=content)
    assert "full" in str(problem(refused, 507)["detail"]) and float(refused.headers["retry-after"]) > 0
    assert not list(get_artifacts().files())


def uploaded(client: TestClient, count: int, **arrays: Any) -> str:
    file = io.BytesIO()
    zeros = np.zeros((count, 8, 8), dtype=np.uint8)
    np.savez_compressed(file, images=zeros, labels=np.arange(count) % 2, **arrays)
    answer = client.post(f"{API}/uploads?filename=a.npz", content=file.getvalue())
    assert answer.status_code == 201 and answer.json()["bytes"] < 20_000
    return str(answer.json()["id"])


@pytest.mark.parametrize("noun", ["datasets", "ood-pools"])
def test_a_small_upload_that_becomes_gigabytes_is_accepted_or_refused(client: TestClient, noun: str) -> None:
    source = {"kind": "upload", "upload_id": uploaded(client, 1200)}
    body = {"name": "zeros", "source": source, "image_size": 1024}
    refused = client.post(f"{API}/{noun}", json=body)
    assert pointers(refused) == ["/image_size"]
    assert "3,774,873,600 bytes" in str(problem(refused, 422)["detail"])
    assert '"accept_cost": true' in str(problem(refused, 422)["detail"])
    assert client.post(f"{API}/{noun}", json=body | {"image_size": 32}).status_code == 202
    assert client.post(f"{API}/{noun}", json=body | {"accept_cost": True}).status_code == 202


def test_images_that_no_room_is_left_for_are_refused_whatever_is_accepted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "c", "source": {"kind": "torchvision", "name": "CIFAR10"}, "image_size": 1024, "accept_cost": True}
    assert get_settings().disk_floor == 0.05
    monkeypatch.setenv("COLT_DISK_FLOOR", "0.999999")
    get_settings.cache_clear()
    refused = client.post(f"{API}/datasets", json=body)
    assert pointers(refused) == ["/image_size"] and "more than there is room for" in str(
        problem(refused, 422)["detail"]
    )
