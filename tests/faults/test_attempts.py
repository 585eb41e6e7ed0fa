"""The timeline of attempts tells what really happened to a job."""

from __future__ import annotations

import signal
from itertools import pairwise
from typing import Any

import psutil

from tests.support.processes import wait_until
from tests.support.runs import PATIENCE, Service


def test_each_attempt_says_how_it_ended_and_where_the_next_went_on(service: Service) -> None:
    """SIGKILL to the trainer, then to its worker, SIGTERM to all workers, then a cancel, each in mid-training."""
    stack = service.stack
    job_id = service.submit(epochs=400)

    def timeline() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = stack.client.get(f"/api/v1/jobs/{job_id}/attempts").json()["items"]
        return items

    def training(number: int) -> psutil.Process:
        """The trainer of this attempt, once it has written checkpoints further on than the one before."""

        def further() -> bool:
            earlier = max((attempt["epoch"] or 0 for attempt in timeline()), default=0)
            return len(timeline()) == number and service.job(job_id)["progress"]["epoch"] >= earlier + 2

        wait_until(further, PATIENCE, f"attempt {number} trains")
        trainer = service.process_of(job_id)
        assert trainer is not None
        return trainer

    training(1).kill()
    worker = service.worker_of(training(2))
    worker.kill()
    worker.start()
    training(3)
    for each in stack.workers:
        each.send(signal.SIGTERM)
    for each in stack.workers:
        each.wait(60)
        each.start()
    training(4)
    stack.client.post(f"/api/v1/jobs/{job_id}/cancel")
    service.wait_status(job_id, "cancelled")

    told = timeline()
    assert [attempt["outcome"] for attempt in told] == ["failed", "worker_lost", "shut_down", "cancelled"]
    reasons = [attempt["reason"] for attempt in told]
    assert "killed by the system" in reasons[0] and "fell silent" in reasons[1] and "was stopped" in reasons[2]
    assert told[0]["from_step"] == 0
    for earlier, later in pairwise(told):
        assert 0 < later["from_step"] <= earlier["step"] < later["step"]
        assert earlier["started_at"] < earlier["ended_at"] <= later["started_at"]
    assert told[3]["from_step"] == told[2]["step"], "what is stopped writes its checkpoint"
    assert len({attempt["worker_id"] for attempt in told[1:]}) == 3, "a worker that starts again is another one"
    assert service.job(job_id)["attempts"] == 3, "a stop is not held against the job"
