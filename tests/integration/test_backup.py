"""Back up and restore elsewhere: everything is there.

A cancelled job then continues to the numbers of an undisturbed one.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import wait_until
from tests.support.runs import ALL_PROBES, Service, assert_equal, begin, recorded, wait_status
from tests.support.servers import Postgres
from tests.support.stack import Stack, StartStack, running_stack

API = "/api/v1"


@pytest.fixture
def service(request: pytest.FixtureRequest, start_stack: StartStack) -> Service:
    return begin(start_stack(request.param, workers=1))


def cancelled_job(service: Service) -> str:
    """A job that was cancelled in the middle of its training."""
    job_id = service.submit(ALL_PROBES)
    service.wait_training(job_id)
    service.stack.client.post(f"{API}/jobs/{job_id}/cancel")
    assert service.wait_status(job_id, "cancelled", "succeeded")["status"] == "cancelled"
    return job_id


def colt(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=stack.env,
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(stack: Stack) -> dict[str, Any]:
    """What clients see of everything: lists, evaluations, attempts, and the downloads' digests."""
    seen: dict[str, Any] = {}
    for noun in ("datasets", "ood-pools", "jobs"):
        seen[noun] = stack.client.get(f"{API}/{noun}").json()
    for job in seen["jobs"]["items"]:
        for part in ("evaluations", "checkpoints", "attempts", "rounds", "metrics", "tailness/classes"):
            seen[f"{job['id']}/{part}"] = stack.client.get(f"{API}/jobs/{job['id']}/{part}").json()
        for checkpoint in seen[f"{job['id']}/checkpoints"]["items"]:
            for format_ in ("torch", "backbone"):
                answer = stack.client.get(f"{API}/checkpoints/{checkpoint['id']}/download", params={"format": format_})
                assert answer.status_code == 200
                seen[f"{checkpoint['id']}/{format_}"] = hashlib.sha256(answer.content).hexdigest()
    pool = seen["ood-pools"]["items"][0]["id"]
    image = stack.client.get(f"{API}/ood-pools/{pool}/samples/3/image")
    assert image.headers["content-type"] == "image/png"
    seen["image"] = hashlib.sha256(image.content).hexdigest()
    return seen


def timeline(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = stack.client.get(f"{API}/jobs/{job_id}/attempts").json()["items"]
    return items


def assert_restored(restored: Stack, service: Service, before: dict[str, Any], cancelled: str) -> None:
    assert answers(restored) == before
    assert restored.client.post(f"{API}/jobs/{cancelled}/resume").status_code == 202
    assert wait_status(restored, f"jobs/{cancelled}", "succeeded", "failed")["status"] == "succeeded"
    assert_equal(recorded(restored, cancelled), service.undisturbed)
    first, second = timeline(restored, cancelled)
    assert (first["outcome"], second["outcome"]) == ("cancelled", "succeeded")
    assert second["from_step"] == first["step"] > 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("service", ["embedded"], indirect=True)
def test_a_folder_that_was_backed_up_while_a_job_trained(service: Service, tmp_path: Path) -> None:
    stack = service.stack
    cancelled = cancelled_job(service)
    before = answers(stack)
    training = service.submit(epochs=200)
    service.wait_training(training)
    made = colt(stack, "backup", str(tmp_path / "restored" / "home"))
    assert made.returncode == 0, made.stderr
    assert service.job(training)["status"] == "running", "it was not in the way"
    stack.client.post(f"{API}/jobs/{training}/cancel")
    service.wait_status(training, "cancelled")
    again = colt(stack, "backup", str(tmp_path / "restored" / "home"))
    assert again.returncode == 1 and "exists already" in again.stderr
    for process in stack.processes:  # that machine is gone
        process.stop()
    with running_stack(tmp_path / "restored", "embedded") as restored:
        # The job that trained is found lost. It resumes from a checkpoint that the backup holds.
        wait_until(lambda: bool(timeline(restored, training)[1:]), 60, "it is started again")
        wait_until(lambda: bool(timeline(restored, training)[1]["from_step"]), 60, "it resumes from a checkpoint")
        assert timeline(restored, training)[0]["outcome"] == "worker_lost"
        restored.client.post(f"{API}/jobs/{training}/cancel")
        wait_status(restored, f"jobs/{training}", "cancelled")
        assert restored.client.delete(f"{API}/jobs/{training}").status_code == 204
        assert_restored(restored, service, before, cancelled)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("service", ["distributed"], indirect=True)
def test_a_dump_of_postgres_and_a_copy_of_the_artifacts(
    service: Service, postgres: Postgres, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    stack = service.stack
    refused = colt(stack, "backup", str(tmp_path / "backup"))
    assert refused.returncode == 1 and "pg_dump" in refused.stderr
    cancelled = cancelled_job(service)
    before = answers(stack)
    postgres.dump(stack.env["COLT_DATABASE_URL"], tmp_path / "colt.dump")
    shutil.copytree(stack.env["COLT_ARTIFACTS_URL"], tmp_path / "artifacts")
    for process in stack.processes:
        process.stop()
    with postgres.database(migrated=False) as url:
        postgres.restore(tmp_path / "colt.dump", url)
        servers = (postgres, request.getfixturevalue("redis_server"))
        with running_stack(tmp_path, "distributed", *servers, workers=1, COLT_DATABASE_URL=url) as restored:
            assert_restored(restored, service, before, cancelled)
