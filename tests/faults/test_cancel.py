"""Cancelling at every stage: the job ends within the grace time and keeps a checkpoint.

Resumed, it continues as if it had never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from store.database import reading
from store.models import Job
from tests.support.files import matching
from tests.support.leftovers import artifacts_folder, assert_nothing_left
from tests.support.processes import wait_until
from tests.support.runs import ALL_PROBES, DATASET, EPOCHS, PATIENCE, Service, engine_of, post

GRACE_SECONDS = 60.0  # COLT_STOP_GRACE_SECONDS


def cancel(service: Service, job_id: str) -> float:
    """Ask for it. Returns the seconds until the end."""
    began = time.monotonic()
    answer = service.stack.client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert answer.status_code < 300, answer.text
    job = service.wait_status(job_id, "cancelled", "succeeded", "failed")
    assert job["status"] == "cancelled", job
    return time.monotonic() - began


def resume(service: Service, job_id: str) -> None:
    assert service.stack.client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300


def watch(service: Service, job_id: str, condition: Callable[[Job], bool]) -> None:
    """Poll the job's row closely: the moments are short."""
    deadline = time.monotonic() + PATIENCE
    with engine_of(service.stack) as engine:
        while True:
            with reading(engine) as session:
                if condition(session.get_one(Job, job_id)):
                    return
            assert time.monotonic() < deadline, "the moment does not come"
            time.sleep(0.005)


def before_a_round(service: Service, job_id: str) -> None:
    watch(service, job_id, lambda job: job.epoch == 3)  # CONFIG: the first round opens epoch 4


def in_a_checkpoint_write(service: Service, job_id: str) -> None:
    folder = artifacts_folder(service) / "jobs" / job_id / "checkpoints"
    deadline = time.monotonic() + PATIENCE
    while not matching(folder, "*/*.partial"):
        assert time.monotonic() < deadline, "no checkpoint is seen half-written"


def while_it_starts(service: Service, job_id: str) -> None:
    wait_until(lambda: service.process_of(job_id) is not None, PATIENCE, "its process runs")


def in_the_evaluation(service: Service, job_id: str) -> None:
    watch(service, job_id, lambda job: job.epoch == EPOCHS)


# On the embedded pair, cancelling in an epoch is tried in test_kills.py.
@pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
def test_a_job_cancelled_at_each_stage_goes_on_as_if_never_stopped(service: Service) -> None:
    """One job, cancelled and resumed at one stage after the other; in mid-epoch is
    test_kills.py."""
    job_id = service.submit(ALL_PROBES)
    for stage in (while_it_starts, before_a_round, in_a_checkpoint_write, in_the_evaluation):
        stage(service, job_id)
        assert cancel(service, job_id) < GRACE_SECONDS
        job = service.job(job_id)
        checkpoints = service.stack.client.get(f"/api/v1/jobs/{job_id}/checkpoints").json()["items"]
        if stage is not while_it_starts:
            assert checkpoints and checkpoints[0]["step"] == job["progress"]["step"], "what was trained is kept"
        assert service.process_of(job_id) is None
        assert_nothing_left(service)
        resume(service, job_id)
    service.assert_as_undisturbed(job_id)
    assert_nothing_left(service)


def test_a_registration_that_is_deleted_stops_and_leaves_nothing(service: Service) -> None:
    dataset_id = post(service.stack, "datasets", DATASET)
    wait_until(lambda: service.process_of(dataset_id) is not None, PATIENCE, "the registration runs")
    assert service.stack.client.delete(f"/api/v1/datasets/{dataset_id}").status_code < 300
    wait_until(lambda: service.process_of(dataset_id) is None, GRACE_SECONDS, "the registration stops")
    assert_nothing_left(service)
