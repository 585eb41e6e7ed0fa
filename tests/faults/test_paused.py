"""A worker that is paused for longer than its lease, and wakes up when another has done its
work."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from store.database import reading
from store.models import Checkpoint, Dataset
from tests.support.files import matching
from tests.support.leftovers import artifacts_folder, assert_nothing_left
from tests.support.processes import Process, wait_until
from tests.support.runs import DATASET, PATIENCE, Service, engine_of, post, wait_status

# Only where a second worker can take the job.
distributed = pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)


def tree(worker: Process) -> list[psutil.Process]:
    """A worker with all that it started, the last first."""
    root = psutil.Process(worker.pid)
    return [*reversed(root.children(recursive=True)), root]


def pause(service: Service, trainer: psutil.Process) -> list[psutil.Process]:
    """Stop the worker and all of its processes; the trainer first, at the place where it is."""
    worker = service.worker_of(trainer)
    trainer.suspend()
    processes = tree(worker)
    for process in processes:
        process.suspend()
    return processes


def stop_in_writing(process: psutil.Process, folder: Path) -> Path:
    """Let it run in small steps until a file under the folder is half-written. Returns that."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "no file is seen half-written"
        process.suspend()
        while process.status() != psutil.STATUS_STOPPED:  # within a moment; a longer wait would be most of the time
            assert time.monotonic() < deadline, "it does not stand still"
        half_written = next(iter(matching(folder, "**/*.partial")), None)
        if half_written is not None:
            return half_written
        process.resume()
        time.sleep(0.002)


def wake(processes: list[psutil.Process]) -> None:
    for process in processes:  # the trainer first: it has a moment before its supervisor looks
        process.send_signal(signal.SIGCONT)


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@distributed
def test_one_that_wakes_while_another_works_stops_and_writes_nothing(service: Service) -> None:
    job_id = service.submit()
    late = service.wait_training(job_id)
    paused = pause(service, late)
    try:
        wait_until(lambda: service.job(job_id)["attempts"] == 2, PATIENCE, "the other worker takes the job")
    finally:
        wake(paused)
    wait_until(lambda: is_over(late), 10, "the late one stops")
    service.assert_as_undisturbed(job_id)
    service.assert_attempts(job_id, 2)
    assert_nothing_left(service)


@distributed
def test_one_that_wakes_when_the_job_is_done_changes_nothing(service: Service) -> None:
    """It was about to give a checkpoint its name when it was paused; the other has written that
    state meanwhile."""
    job_id = service.submit()
    late = service.wait_training(job_id)
    folder = artifacts_folder(service) / "jobs" / job_id / "checkpoints"
    stop_in_writing(late, folder)
    paused = pause(service, late)
    try:
        service.assert_as_undisturbed(job_id)
        before = service.stack.client.get(f"/api/v1/jobs/{job_id}").json()
        files = _files(service, job_id)
    finally:
        wake(paused)
    wait_until(lambda: is_over(late), 10, "the late one stops")
    service.stack.wait_ready()
    service.assert_as_undisturbed(job_id)
    assert service.stack.client.get(f"/api/v1/jobs/{job_id}").json() == before
    assert _files(service, job_id) == files
    assert_nothing_left(service)


@distributed
def test_a_registrar_that_wakes_in_its_writing_does_not_replace_the_files_of_another(service: Service) -> None:
    dataset_id = post(service.stack, "datasets", DATASET | {"image_size": 128})  # large, so that writing takes a while
    wait_until(lambda: service.process_of(dataset_id) is not None, PATIENCE, "the registration runs")
    late = service.process_of(dataset_id)
    assert late is not None
    folder = artifacts_folder(service) / "datasets" / dataset_id
    half_written = stop_in_writing(late, folder)
    paused = pause(service, late)
    # This stack's sweep is in a hurry; any other leaves it there for a day.
    os.utime(half_written, (time.time() + 3600, time.time() + 3600))
    try:
        assert wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")["status"] == "ready"
        with engine_of(service.stack) as engine, reading(engine) as session:
            row = session.get_one(Dataset, dataset_id)
        assert row.attempts == 2 and row.files
        files = {artifacts_folder(service) / row.artifact / name: written for name, written in row.files.items()}
        before = _identities(files)
        late.resume()
        wait_until(lambda: is_over(late), 10, "the late one stops by itself")  # its supervisor is still paused
    finally:
        wake(paused)
    assert_nothing_left(service)
    assert _identities(files) == before
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == {
        path: written["sha256"] for path, written in files.items()
    }
    wait_until(lambda: [*folder.iterdir()] == [folder.parents[1] / row.artifact], 10, "the late one's folder is gone")


def _files(service: Service, job_id: str) -> dict[str, tuple[int, int]]:
    """Each file of the job's checkpoints, and when it was written and by which inode it is
    known."""
    with engine_of(service.stack) as engine, reading(engine) as session:
        folders = session.scalars(select(Checkpoint.artifact).where(Checkpoint.job_id == job_id)).all()
    paths = [path for folder in folders for path in (artifacts_folder(service) / folder).iterdir()]
    assert len(paths) == 2 * len(folders) > 0, paths
    return _identities(paths)


def _identities(paths: Iterable[Path]) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}
