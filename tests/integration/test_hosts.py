"""A job over several machines: workers with a home and an address each, as processes here."""

from __future__ import annotations

import signal
import socket
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from store.database import reading
from store.models import Seat
from tests.support.processes import wait_until
from tests.support.runs import (
    CONFIG,
    DATASET,
    PATIENCE,
    assert_equal,
    engine_of,
    post,
    recorded,
    submit,
    wait_status,
    working,
)
from tests.support.stack import Stack, StartStack

pytestmark = pytest.mark.timeout(900)
TWO_HOSTS = {"num_processes": 2, "num_hosts": 2}
LOST_SECONDS = 60.0  # on a busy machine; alone it takes less than 20


@pytest.fixture(scope="module")
def stack(start_module_stack: StartStack) -> Stack:
    """Two workers, on 127.0.0.2 and 127.0.0.3."""
    return start_module_stack("distributed", workers=2)


@pytest.fixture(scope="module")
def data(stack: Stack) -> tuple[str, str]:
    """Ids of a data set and a pool."""
    dataset = post(stack, "datasets", DATASET)
    pool = post(stack, "ood-pools", {"name": "glyphs", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    for path in (f"datasets/{dataset}", f"ood-pools/{pool}"):
        assert wait_status(stack, path, "ready", "failed")["status"] == "ready"
    return dataset, pool


@pytest.fixture(scope="module")
def on_one_host(stack: Stack, data: tuple[str, str]) -> dict[str, Any]:
    """What a job of two processes on one machine records."""
    job_id = submit(stack, *data, CONFIG | {"num_processes": 2})
    ended(stack, job_id)
    return without_hosts(recorded(stack, job_id))


def ended(stack: Stack, job_id: str) -> dict[str, Any]:
    job = wait_status(stack, f"jobs/{job_id}", "succeeded", "failed", "cancelled")
    assert job["status"] == "succeeded", job
    return job


def without_hosts(record: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint holds the settings, and so the number of machines."""
    kept = [value for value in record["checkpoint"] if not isinstance(value, tuple) or value[0] != "/config/num_hosts"]
    return record | {"checkpoint": kept}


def seats_of(stack: Stack, job_id: str) -> list[Seat]:
    with engine_of(stack) as engine, reading(engine) as session:
        mine = select(Seat).where(Seat.job_id == job_id).order_by(Seat.attempt, Seat.node_rank)
        return list(session.scalars(mine))


def processes(stack: Stack, job_id: str) -> dict[str, psutil.Process]:
    """Its agents and ranks, by kind and node rank."""
    found = {}
    for process, line in working(stack):
        if line[-1:] != [job_id]:
            continue
        if "torch.distributed.run" in line:
            (node,) = (word.partition("=")[2] for word in line if word.startswith("--node-rank="))
            found[f"agent {node}"] = process
        elif "worker.trainer" in line:
            node = process.environ()["GROUP_RANK"]
            found[f"rank {node}"] = process
    return found


def trains(stack: Stack, job_id: str, epoch: int) -> dict[str, psutil.Process]:
    """Its processes, once it has a checkpoint of so many epochs and trains further."""

    def far_enough() -> bool:
        job = stack.client.get(f"/api/v1/jobs/{job_id}").json()
        assert job["status"] in {"queued", "running"}, job
        return job["status"] == "running" and job["progress"]["epoch"] >= epoch and len(processes(stack, job_id)) == 4

    wait_until(far_enough, PATIENCE, f"{epoch} epochs are over")
    return processes(stack, job_id)


def live_workers(stack: Stack) -> int:
    return sum(worker["live"] for worker in stack.client.get("/api/v1/workers").json()["items"])


def test_two_machines_compute_what_one_with_as_many_processes_does(
    stack: Stack, data: tuple[str, str], on_one_host: dict[str, Any]
) -> None:
    jobs = [submit(stack, *data, CONFIG | TWO_HOSTS | {"seed": seed}) for seed in (CONFIG["seed"], 4)]
    for job_id in jobs:  # both want the same two seats
        assert ended(stack, job_id)["attempts"] == 1
        leader, other = seats_of(stack, job_id)
        assert (leader.node_rank, other.node_rank) == (0, 1)
        assert {leader.address, other.address} == {"127.0.0.2", "127.0.0.3"}
        assert leader.port is not None and other.port is None
        given_back = lambda: all(seat.lease_expires_at is None for seat in seats_of(stack, job_id))  # noqa: B023, E731
        wait_until(given_back, LOST_SECONDS, "the seats are given back")
    assert_equal(without_hosts(recorded(stack, jobs[0])), on_one_host)
    assert seats_of(stack, jobs[1])[0].created_at > seats_of(stack, jobs[0])[1].created_at


@pytest.mark.parametrize(
    "killed",
    [("rank 1", "agent 0", "worker 1"), pytest.param(("agent 1", "rank 0", "worker 0"), marks=pytest.mark.slow)],
    ids=["some", "the others"],
)
def test_whatever_is_killed_costs_an_attempt_and_no_number(
    stack: Stack, data: tuple[str, str], on_one_host: dict[str, Any], killed: tuple[str, ...]
) -> None:
    job_id = submit(stack, *data, CONFIG | TWO_HOSTS)
    for epoch, name in enumerate(killed, start=1):
        found = trains(stack, job_id, epoch)
        kind, node = name.split()
        if kind == "worker":
            ancestors = {ancestor.pid for ancestor in found[f"agent {node}"].parents()}
            (worker,) = (worker for worker in stack.workers if worker.pid in ancestors)
            worker.kill()
        else:
            found[name].send_signal(signal.SIGKILL)
        _, left = psutil.wait_procs(found.values(), timeout=LOST_SECONDS)
        assert not left, f"{left} go on without {name}"
        if kind == "worker":
            worker.start()
    trains(stack, job_id, len(killed) + 1)
    stack.client.post(f"/api/v1/jobs/{job_id}/cancel")
    cancelled = wait_status(stack, f"jobs/{job_id}", "cancelled", "succeeded")
    assert (cancelled["status"], cancelled["attempts"]) == ("cancelled", len(killed) + 1)
    wait_until(lambda: not processes(stack, job_id), LOST_SECONDS, "all its processes have ended")
    assert stack.client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    ended(stack, job_id)
    assert_equal(without_hosts(recorded(stack, job_id)), on_one_host)


def test_the_stop_of_a_worker_stops_the_others_at_a_checkpoint(stack: Stack, data: tuple[str, str]) -> None:
    job_id = submit(stack, *data, CONFIG | TWO_HOSTS)
    found = trains(stack, job_id, 2)
    ancestors = {ancestor.pid for ancestor in found["agent 1"].parents()}
    (worker,) = (worker for worker in stack.workers if worker.pid in ancestors)
    assert worker.stop(LOST_SECONDS) == 0
    job = wait_status(stack, f"jobs/{job_id}", "queued")
    assert job["attempts"] == 0, "a stop counts as no attempt"
    (attempt,) = stack.client.get(f"/api/v1/jobs/{job_id}/attempts").json()["items"]
    assert (attempt["outcome"], attempt["step"] > 0) == ("shut_down", True)
    assert stack.client.post(f"/api/v1/jobs/{job_id}/cancel").status_code < 300
    wait_status(stack, f"jobs/{job_id}", "cancelled")
    worker.start()
    wait_until(lambda: live_workers(stack) == 2, PATIENCE, "both workers are there again")


def test_a_leader_whose_port_is_taken_tries_another(stack: Stack, data: tuple[str, str]) -> None:
    job_id = submit(stack, *data, CONFIG | TWO_HOSTS | {"epochs": 4})
    taken: list[int] = []
    blockers: list[socket.socket] = []

    def take() -> bool:
        port = next((seat.port for seat in seats_of(stack, job_id) if seat.port is not None), None)
        if port is not None:
            blocker = socket.socket()
            blocker.bind(("", port))  # the agent takes seconds until it listens
            blocker.listen()
            blockers.append(blocker)
            taken.append(port)
        return port is not None

    try:
        wait_until(take, PATIENCE, "the leader has chosen a port", every=0.02)
        assert ended(stack, job_id)["attempts"] == 1
        assert seats_of(stack, job_id)[0].port not in {None, *taken}
    finally:
        for blocker in blockers:
            blocker.close()
