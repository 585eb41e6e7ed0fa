"""The disk of the whole data folder is full: database, artifacts, broker and logs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.disks import SmallDisk, small_disk
from tests.support.files import files_under
from tests.support.processes import wait_until
from tests.support.runs import Service, begin
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    with small_disk(tmp_path_factory.mktemp("stack") / "home", 256) as disk:
        yield disk


@pytest.fixture(scope="module")
def full_service(disk: SmallDisk) -> Iterator[Service]:
    with running_stack(disk.path.parent, "embedded") as stack:
        yield begin(stack)


def refused(stack: Stack) -> None:
    """Requests that need room are asked to try again later; those that need none succeed."""
    assert stack.client.get("/api/v1/jobs").status_code == 200
    assert stack.client.get("/healthz").status_code == 200
    wait_until(lambda: "artifacts" in stack.client.get("/readyz").json()["missing"], 20, "readyz notices")
    for _ in range(3):  # a database's free pages take a few rows
        upload = stack.client.post("/api/v1/uploads?filename=a.zip", content=bytes(2**20))
        assert upload.status_code == 507, upload.text
        assert float(upload.headers["retry-after"]) > 0 and "full" in upload.json()["detail"]


def test_a_running_job_waits_for_room_and_ends_as_undisturbed(full_service: Service, disk: SmallDisk) -> None:
    stack = full_service.stack
    before = [process.pid for process in stack.processes]
    uploads = stack.home / "artifacts" / "uploads"
    job_id = full_service.submit()
    full_service.wait_training(job_id)
    disk.fill()
    try:
        refused(stack)
        wait_until(stands_still(full_service, job_id), 60, "the training waits")
        job = full_service.job(job_id)
        assert job["status"] == "running" and job["progress"]["step"] < job["progress"]["steps"], job
        assert not files_under(uploads)
    finally:
        disk.empty()
    stack.wait_ready()
    full_service.assert_as_undisturbed(job_id)
    full_service.assert_attempts(job_id, 1)
    assert [process.pid for process in stack.processes if process.running] == before


def test_a_job_that_was_queued_waits_for_room(full_service: Service, disk: SmallDisk) -> None:
    stack = full_service.stack
    for worker in stack.workers:
        worker.stop(60)
    job_id = full_service.submit()
    disk.fill()
    try:
        for worker in stack.workers:
            worker.start()
        wait_until(lambda: says_no(stack.workers[0].log), 60, "the worker takes no work")
        assert full_service.job(job_id)["status"] == "queued"
    finally:
        disk.empty()
    full_service.assert_as_undisturbed(job_id)
    full_service.assert_attempts(job_id, 1)


def stands_still(service: Service, job_id: str) -> Callable[[], bool]:
    """Whether the job has taken no step for some seconds; an epoch of it takes less than one."""
    seen: tuple[int, float] = (-1, 0.0)

    def stands() -> bool:
        nonlocal seen
        step = service.job(job_id)["progress"]["step"]
        if step != seen[0]:
            seen = (step, time.monotonic())
        return time.monotonic() - seen[1] > 5

    return stands


def says_no(log: Path) -> bool:
    text = log.read_text(errors="replace")
    return "no work is taken" in text or "the database does not answer" in text
