"""A job of two processes through the service: both train, and the loss of either costs an attempt
and no number."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.support.processes import wait_until
from tests.support.runs import CONFIG, DATASET, PATIENCE, assert_equal, post, recorded, submit, wait_status, working
from tests.support.stack import Stack, StartStack

TWO_PROCESSES = CONFIG | {"num_processes": 2}


def rank_of(stack: Stack, job_id: str, module: str) -> psutil.Process | None:
    return next((process for process, line in working(stack) if module in line and job_id in line), None)


def wait_training(stack: Stack, job_id: str, module: str, epoch: int = 2) -> psutil.Process:
    """The process of a module that trains the job, once it has checkpoints of so many epochs."""

    def far_enough() -> bool:
        return stack.client.get(f"/api/v1/jobs/{job_id}").json()["progress"]["epoch"] >= epoch

    wait_until(far_enough, PATIENCE, f"{epoch} epochs are over")
    process = rank_of(stack, job_id, module)
    assert process is not None, f"{module} ended too soon"
    return process


@pytest.mark.timeout(900)
def test_a_job_of_two_processes(start_stack: StartStack) -> None:
    stack = start_stack("embedded")
    dataset = post(stack, "datasets", DATASET)
    pool = post(stack, "ood-pools", {"name": "glyphs", "source": {"kind": "sample", "name": "glyphs-and-patches"}})
    for path in (f"datasets/{dataset}", f"ood-pools/{pool}"):
        assert wait_status(stack, path, "ready", "failed")["status"] == "ready"

    def ended(job_id: str) -> int:
        job = wait_status(stack, f"jobs/{job_id}", "succeeded", "failed", "cancelled")
        assert job["status"] == "succeeded", job
        return int(job["attempts"])

    undisturbed = submit(stack, dataset, pool, TWO_PROCESSES)
    trainer = wait_training(stack, undisturbed, "worker.trainer")
    (child,) = trainer.children()
    assert "worker.rank" in child.cmdline()
    assert ended(undisturbed) == 1
    expected = recorded(stack, undisturbed)
    assert len(expected["tailness"]) == 12 and len(expected["rounds"]) == 3

    # A kill of either, and a cancel: one after the other, of one job.
    job_id = submit(stack, dataset, pool, TWO_PROCESSES)
    for epoch, module in ((2, "worker.rank"), (4, "worker.trainer")):
        lost = wait_training(stack, job_id, module, epoch)
        other = rank_of(stack, job_id, "worker.trainer" if module == "worker.rank" else "worker.rank")
        assert other is not None
        lost.send_signal(signal.SIGKILL)
        other.wait(30)  # neither hangs without the other
    wait_training(stack, job_id, "worker.trainer", 6)
    stack.client.post(f"/api/v1/jobs/{job_id}/cancel")
    cancelled = wait_status(stack, f"jobs/{job_id}", "cancelled", "succeeded")
    assert (cancelled["status"], cancelled["attempts"]) == ("cancelled", 3)
    assert rank_of(stack, job_id, "worker.rank") is None
    assert stack.client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    ended(job_id)
    assert_equal(recorded(stack, job_id), expected)
