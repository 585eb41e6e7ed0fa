"""Workers with their heartbeats, and the attempts of a job."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi.testclient import TestClient

from store import leases
from store.database import writing
from store.devices import Devices
from store.models import Dataset, Job, Worker, utc_now
from store.repositories import attempts
from store.statuses import AttemptOutcome
from tests.support.problems import pointers, problem
from tests.support.results import Rows

API = "/api/v1"


def add_worker(name: str, *, started: float = 60, silent: float = 0, devices: Devices | None = None) -> None:
    now = utc_now()
    times = {"started_at": now - dt.timedelta(seconds=started), "heartbeat_at": now - dt.timedelta(seconds=silent)}
    with writing() as session:
        session.add(Worker(id=name, devices=None if devices is None else devices.column(), **times))


def test_workers_with_their_heartbeats_and_what_they_hold(client: TestClient, rows: Rows) -> None:
    add_worker("gpu-1", started=900, silent=1, devices=Devices(16, ("NVIDIA H200", "NVIDIA H200")))
    add_worker("gpu-2", started=800, silent=600)
    job, dataset = rows.job(status="queued"), rows.dataset(status="registering")
    rows.job(status="succeeded", worker_id="gpu-1")  # was its work once
    with writing() as session:
        assert leases.claim(session, Job, "gpu-1", 60) is not None
        assert leases.claim(session, Dataset, "gpu-1", 60) is not None
    items = client.get(f"{API}/workers").json()["items"]
    assert [(item["id"], item["live"]) for item in items] == [("gpu-2", False), ("gpu-1", True)]
    assert items[0]["works_on"] == []
    assert items[0]["devices"] is None  # an earlier version sends none
    reported = {"memory_bytes": None, "cuda_bytes": [], "bf16": False}  # by a worker that reports no more
    assert items[1]["devices"] == {"cpu_cores": 16, "cuda": ["NVIDIA H200", "NVIDIA H200"]} | reported
    assert items[1]["works_on"] == [{"kind": "job", "id": job.id}, {"kind": "dataset", "id": dataset.id}]
    assert 1 <= items[1]["silent_seconds"] < 30 and 600 <= items[0]["silent_seconds"] < 630
    assert items[1]["started_at"] < items[1]["heartbeat_at"]


def test_many_workers_come_in_pages(client: TestClient, rows: Rows) -> None:
    for number in range(5):
        add_worker(f"w{number}", started=100 - number, silent=0)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client.get(f"{API}/workers", params=query).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ["w4", "w3", "w2", "w1", "w0"]
    assert pointers(client.get(f"{API}/workers", params={"cursor": "x"})) == ["?cursor"]


def test_the_timeline_of_a_job(client: TestClient, rows: Rows) -> None:
    job = rows.job(status="running")
    assert client.get(f"{API}/jobs/{job.id}/attempts").json() == {"items": [], "next_cursor": None}
    with writing() as session:
        row = session.get_one(Job, job.id)
        attempts.begin(session, job.id, "gpu-1")
        row.epoch, row.step = 4, 40
        attempts.end(session, row, AttemptOutcome.WORKER_LOST, "Its worker fell silent")
        attempts.begin(session, job.id, "gpu-2")
        attempts.goes_on_from(session, job.id, 3, 30)
    first = client.get(f"{API}/jobs/{job.id}/attempts", params={"limit": 1}).json()
    second = client.get(f"{API}/jobs/{job.id}/attempts", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    (lost,), (running,) = first["items"], second["items"]
    assert {key: lost[key] for key in ("number", "worker_id", "outcome", "reason", "from_step", "epoch", "step")} == {
        "number": 1,
        "worker_id": "gpu-1",
        "outcome": "worker_lost",
        "reason": "Its worker fell silent",
        "from_step": None,
        "epoch": 4,
        "step": 40,
    }
    assert lost["started_at"] <= lost["ended_at"]
    assert (running["number"], running["from_epoch"], running["from_step"]) == (2, 3, 30)
    assert (running["ended_at"], running["outcome"], running["step"]) == (None, None, None)
    assert second["next_cursor"] is None


def test_attempts_of_no_job(client: TestClient) -> None:
    problem(client.get(f"{API}/jobs/none/attempts"), 404)


ON_CUDA = {"preset": "digits", "sampler": "none", "batch_size": 4, "device": "cuda"}


def submitted(client: TestClient, dataset: Dataset, **config: Any) -> Any:
    return client.post(f"{API}/jobs", json={"dataset_id": dataset.id, "config": ON_CUDA | config})


def test_a_job_for_a_gpu_that_no_live_worker_has_is_refused_and_told_who_has_what(
    client: TestClient, rows: Rows
) -> None:
    dataset = rows.dataset()
    assert "none is running" in str(problem(submitted(client, dataset), 422)["detail"])
    add_worker("a-1", devices=Devices(8))
    add_worker("b-2")
    add_worker("gone", silent=600, devices=Devices(8, ("NVIDIA H200",)))
    refused = submitted(client, dataset)
    assert pointers(refused) == ["/config/device"]
    told = str(problem(refused, 422)["detail"])
    assert "a-1 has 8 CPU cores" in told and "b-2 has not reported" in told and "gone" not in told
    assert submitted(client, dataset, device="auto").status_code == 202
    add_worker("c-3", devices=Devices(8, ("NVIDIA H200",)))
    assert submitted(client, dataset).status_code == 202  # it waits, even if the worker is busy
    assert pointers(submitted(client, dataset, num_processes=2)) == ["/config/device"]


def test_processes_that_no_live_worker_has_a_gpu_for_are_refused(client: TestClient, rows: Rows) -> None:
    dataset = rows.dataset()
    assert submitted(client, dataset, device="auto", num_processes=2).status_code == 202  # a worker may start yet
    add_worker("c-3", devices=Devices(8, ("NVIDIA H200",)))
    assert pointers(submitted(client, dataset, device="auto", num_processes=2)) == ["/config/num_processes"]
    assert submitted(client, dataset, device="cpu", num_processes=2).status_code == 202
    add_worker("a-1", devices=Devices(8))
    assert submitted(client, dataset, device="auto", num_processes=2).status_code == 202


def test_a_probe_of_a_run_on_a_gpu_needs_a_worker_with_one(client: TestClient, rows: Rows) -> None:
    job = rows.job(config=rows.job().config | {"device": "cuda"})
    rows.checkpoint(job, 3)
    add_worker("a-1", devices=Devices(8))
    refused = client.post(f"{API}/jobs/{job.id}/evaluations", json={"kind": "knn"})
    assert "a-1 has 8 CPU cores" in str(problem(refused, 409)["detail"])
    add_worker("c-3", devices=Devices(8, ("NVIDIA H200",)))
    assert client.post(f"{API}/jobs/{job.id}/evaluations", json={"kind": "knn"}).status_code == 202
