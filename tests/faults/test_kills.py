"""Whatever is killed or stopped in mid-training, the job ends with the very numbers of a run that
nothing disturbed.

One job goes through several losses in turn, each of which costs a start; the timeline of its
attempts lists them all.
"""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from typing import Any

import pytest

from tests.support.processes import wait_until
from tests.support.runs import DATASET, PATIENCE, Service, post, wait_status, working

QUICK_STOP_SECONDS = 20.0  # of a worker that trains; a second or two on an idle machine


def timeline(service: Service, job_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.stack.client.get(f"/api/v1/jobs/{job_id}/attempts").json()["items"]
    return items


# On the embedded pair, test_out_of_memory.py kills trainers. Worker and API are killed below
# and in test_kills_beside_training.py.
@pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
def test_a_job_outlives_its_trainer_its_worker_and_the_api(service: Service) -> None:
    """SIGKILL to each in turn."""
    stack = service.stack
    job_id = service.submit()
    training = service.further(job_id)
    training().kill()

    trainer = training()
    worker = service.worker_of(trainer)
    worker.kill()
    trainer.wait(5)  # it does not live on as an orphan
    others = [other for other in stack.workers if other is not worker]
    if not others:  # with more than one worker, another one takes the job over
        worker.start()

    training()
    stack.api.kill()
    time.sleep(0.5)
    stack.api.start()
    stack.wait_ready()
    service.assert_as_undisturbed(job_id)
    service.assert_attempts(job_id, 3)

    told = timeline(service, job_id)
    assert [attempt["outcome"] for attempt in told] == ["failed", "worker_lost", "succeeded"]
    assert "killed by the system" in told[0]["reason"] and "fell silent" in told[1]["reason"]
    assert_in_a_row(told)
    assert told[1]["worker_id"] != told[2]["worker_id"], "a worker that starts again is another one"


@pytest.mark.parametrize("shared_service", ["embedded"], indirect=True)
def test_a_job_that_is_stopped_with_all_workers_or_cancelled_goes_on_from_there(service: Service) -> None:
    """SIGTERM to all workers, then a cancel: both leave time for a checkpoint, and are not held
    against the job."""
    stack = service.stack
    job_id = service.submit()
    training = service.further(job_id)
    trainer = training()
    began = time.monotonic()
    for worker in stack.workers:
        worker.send(signal.SIGTERM)
    assert [worker.wait(60) for worker in stack.workers] == [0] * len(stack.workers)
    assert time.monotonic() - began < QUICK_STOP_SECONDS
    assert not trainer.is_running()
    job = service.job(job_id)
    assert (job["status"], job["attempts"]) == ("queued", 0), job
    assert job["progress"]["epoch"] >= 1 and job["progress"]["step"] < job["progress"]["steps"]
    for worker in stack.workers:
        worker.start()

    training()
    assert stack.client.post(f"/api/v1/jobs/{job_id}/cancel").json()["status"] == "cancelling"
    job = service.wait_status(job_id, "cancelled", "succeeded")
    assert job["status"] == "cancelled" and job["progress"]["step"] < job["progress"]["steps"]
    checkpoint = stack.client.get(f"/api/v1/jobs/{job_id}/checkpoints").json()["items"][0]
    assert checkpoint["step"] == job["progress"]["step"]  # nothing trained was lost
    assert service.process_of(job_id) is None
    assert stack.client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    service.assert_as_undisturbed(job_id)
    service.assert_attempts(job_id, 1)

    told = timeline(service, job_id)
    assert [attempt["outcome"] for attempt in told] == ["shut_down", "cancelled", "succeeded"]
    assert "was stopped" in told[0]["reason"]
    assert_in_a_row(told)
    for earlier, later in pairwise(told):
        assert later["from_step"] == earlier["step"], "what is stopped writes its checkpoint"
    assert told[0]["worker_id"] != told[1]["worker_id"], "a worker that starts again is another one"


def assert_in_a_row(told: list[dict[str, Any]]) -> None:
    """Each attempt went on where there was a checkpoint of the one before, and got further."""
    assert told[0]["from_step"] == 0
    for earlier, later in pairwise(told):
        assert 0 < later["from_step"] <= earlier["step"] < later["step"]
        assert earlier["started_at"] < earlier["ended_at"] <= later["started_at"]


def test_killing_the_worker_while_it_registers(service: Service) -> None:
    dataset_id = post(service.stack, "datasets", DATASET)
    wait_until(lambda: service.process_of(dataset_id) is not None, PATIENCE, "the registration runs")
    registrar = service.process_of(dataset_id)
    assert registrar is not None
    worker = service.worker_of(registrar)
    worker.kill()
    registrar.wait(5)
    worker.start()
    again = wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")
    first = service.stack.client.get(f"/api/v1/datasets/{service.dataset_id}").json()
    assert {**again, "id": "", "created_at": ""} == {**first, "id": "", "created_at": ""}


def test_no_process_is_left_of_all_these_jobs(service: Service) -> None:
    def others() -> list[list[str]]:
        programs = {program.pid for program in service.stack.processes}
        return [line for process, line in working(service.stack) if process.pid not in programs]

    def idle(line: list[str]) -> bool:
        """Whether it is what a worker forks programs off, or multiprocessing's own helper of it."""
        return any(word.startswith("multiprocessing.") for word in line)

    wait_until(lambda: all(map(idle, others())), 10, "API and idle workers are all that is left")
    assert len(others()) == 2 * len(service.stack.workers)
