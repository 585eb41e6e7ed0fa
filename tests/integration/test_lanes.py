"""A worker's lanes: a long probe delays neither a registration nor a training, and can be ended."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from store.bells import Bell
from tests.support.clients import API, register, until
from tests.support.processes import wait_until
from tests.support.runs import working
from tests.support.stack import Stack, StartStack
from worker.app import app

# Few images to train on and many to probe with: an epoch takes a moment, the released probe
# minutes.
DATASET = {
    "name": "d",
    "source": {"kind": "sample", "name": "digits"},
    "long_tail": {"profile": "exp", "imbalance_ratio": 2, "max_per_class": 8},
}
CONFIG = {"preset": "digits", "sampler": "none", "epochs": 1, "width": 16, "batch_size": 32}
PROBE = {"kind": "linear", "protocol": "sgd"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool that is large to `stack`."""
    path = tmp_path_factory.mktemp("data") / "many.npy"
    np.save(path, np.zeros((20_000, 32, 32), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def stack(start_module_stack: StartStack, many: Path) -> Stack:
    """One service for tests that wait for all that they began. It trains one job at a time."""
    return start_module_stack("embedded", COLT_SMALL_BYTES=str(2**20), COLT_DATA_ROOTS=str(many.parent))


def test_a_long_probe_holds_up_no_registration_and_no_training(stack: Stack) -> None:
    client = stack.client

    def status_of(address: str) -> str:
        shown: dict[str, Any] = client.get(address).json()
        assert shown["status"] != "failed", shown
        return str(shown["status"])

    dataset = register(client, "datasets", DATASET)
    body = {"dataset_id": dataset["id"], "config": CONFIG, "evaluations": []}
    job = client.post(f"{API}/jobs", json=body).headers["location"]
    until(client, job, "succeeded")

    probe = client.post(f"{job}/evaluations", json=PROBE).headers["location"]
    wait_until(lambda: status_of(probe) == "running", 60, "the probe runs")

    def examiners() -> list[Any]:
        return [process for process, line in working(stack) if "worker.examiner" in line]

    wait_until(lambda: len(examiners()) == 1, 60, "its process has its name")
    # Paused, it lasts as long as one of an hour. Its supervisor continues.
    (process,) = examiners()
    process.suspend()
    behind = client.post(f"{job}/evaluations", json={"kind": "knn"}).headers["location"]
    assert client.post(f"{job}/evaluations", json=PROBE).headers["location"] == probe
    register(client, "ood-pools", {"name": "p", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    until(client, client.post(f"{API}/jobs", json=body).headers["location"], "succeeded")
    assert (status_of(probe), status_of(behind)) == ("running", "queued")

    process.resume()
    assert client.post(f"{probe}/cancel").json()["status"] == "cancelling"
    until(client, probe, "cancelled")
    until(client, behind, "succeeded")
    assert client.delete(probe).status_code == 204
    assert [item["kind"] for item in client.get(f"{job}/evaluations").json()["items"]] == ["knn"]


def test_a_small_registration_passes_a_large_one_under_way(stack: Stack, many: Path) -> None:
    client = stack.client
    body = {"name": "many", "source": {"kind": "path", "path": str(many)}}
    large = client.post(f"{API}/ood-pools", json=body).headers["location"]

    def registrars() -> list[Any]:
        return [process for process, line in working(stack) if "worker.registrar" in line]

    wait_until(lambda: len(registrars()) == 1, 60, "the large pool is being read")
    (process,) = registrars()
    process.suspend()
    for number in range(3):
        sample = {"name": f"small {number}", "source": {"kind": "sample", "name": "glyphs-and-patches"}}
        register(client, "ood-pools", sample)
    assert client.get(large).json()["status"] == "registering"
    process.resume()
    until(client, large, "ready")


def suspend(process: psutil.Process, stack: Stack) -> None:
    """Suspend a process while it does not write, since SQLite has one writer at a time."""

    def tried() -> bool:
        process.suspend()
        try:
            with closing(sqlite3.connect(stack.home / "colt.db", timeout=0.5)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            process.resume()
            return False
        return True

    wait_until(tried, 60, "it is suspended while it does not write")


def test_two_jobs_run_side_by_side_and_a_third_waits(start_stack: StartStack) -> None:
    stack = start_stack("embedded", COLT_JOBS_SIDE_BY_SIDE="2")
    client = stack.client
    dataset = register(client, "datasets", DATASET)
    body = {"dataset_id": dataset["id"], "config": {**CONFIG, "epochs": 3}, "evaluations": []}

    def trainers() -> list[Any]:
        return [process for process, line in working(stack) if "worker.trainer" in line]

    first = client.post(f"{API}/jobs", json=body).headers["location"]
    wait_until(lambda: len(trainers()) == 1, 60, "the first job is trained")
    suspend(trainers()[0], stack)
    others = [client.post(f"{API}/jobs", json=body).headers["location"] for _ in range(2)]
    for job in others:
        until(client, job, "succeeded")
    assert client.get(first).json()["status"] == "running" and len(trainers()) == 1
    trainers()[0].resume()
    until(client, first, "succeeded")


def test_bells_of_every_version_are_heard() -> None:
    assert {"colt.train", "colt.prepare", *Bell} <= set(app.tasks)
