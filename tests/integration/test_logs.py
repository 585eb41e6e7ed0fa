"""A job's way through the logs of real processes: from the client's request to the last line of its
training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.runs import CONFIG, DATASET, post, wait_status
from tests.support.stack import StartStack


def lines(path: Path) -> list[dict[str, Any]]:
    """Every line of a log. All are JSON, except what Celery prints when it is stopped."""
    told = [line for line in path.read_text().splitlines() if line and not line.startswith("worker: Warm shutdown")]
    found = [json.loads(line) for line in told]
    assert all(line.keys() >= {"timestamp", "level", "logger", "message"} for line in found)
    return found


def test_a_job_can_be_followed_through_all_logs(start_stack: StartStack) -> None:
    stack = start_stack("embedded")
    dataset_id = post(stack, "datasets", DATASET)
    wait_status(stack, f"datasets/{dataset_id}", "ready")
    config = {name: value for name, value in CONFIG.items() if name != "sample_interval"}
    config |= {"sampler": "none", "epochs": 2}
    answer = stack.client.post(
        "/api/v1/jobs",
        json={"dataset_id": dataset_id, "config": config, "evaluations": []},
        headers={"X-Request-ID": "client-7"},
    )
    assert answer.headers["x-request-id"] == "client-7"
    job_id = answer.json()["id"]
    wait_status(stack, f"jobs/{job_id}", "succeeded")
    for process in stack.processes:
        process.stop()

    requests = [line for line in lines(stack.api.log) if line.get("request_id") == "client-7"]
    assert {"api.http.requests", "api.jobs.routes"} <= {line["logger"] for line in requests}
    assert [line["status"] for line in requests if line["logger"] == "api.http.requests"] == [202]
    assert any(line.get("job_id") == job_id for line in requests), "the request is tied to the job"

    worker = lines(stack.workers[0].log)
    told = [line["message"] for line in worker if line.get("job_id") == job_id]
    assert told == [f"took jobs {job_id}", f"jobs {job_id} is succeeded"]
    assert {line["dataset_id"] for line in worker if "dataset_id" in line} == {dataset_id}
    assert len({line["worker_id"] for line in worker}) == 1

    training = lines(stack.home / "logs" / "jobs" / f"{job_id}.log")
    assert {line["job_id"] for line in training} == {job_id}
    assert "training begins" in [line["message"] for line in training]
