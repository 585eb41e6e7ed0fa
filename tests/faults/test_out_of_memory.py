"""The kernel kills what takes too much memory, each time again: that is counted, and ends."""

from __future__ import annotations

from contextlib import suppress

import psutil
import pytest

from tests.support.leftovers import assert_nothing_left
from tests.support.processes import wait_until
from tests.support.runs import PATIENCE, Service

MAX_ATTEMPTS = 3  # COLT_MAX_ATTEMPTS


# Attempts are counted in the database; tests/unit/worker/test_reconciler.py does so on both
# engines.
@pytest.mark.parametrize("shared_service", ["embedded"], indirect=True)
def test_a_job_killed_at_every_start_fails_and_can_be_resumed(service: Service) -> None:
    job_id = service.submit()
    seen: set[int] = set()

    def killed_or_over() -> bool:
        process = service.process_of(job_id)
        if process is not None and process.pid not in seen:
            seen.add(process.pid)
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return service.job(job_id)["status"] == "failed"

    wait_until(killed_or_over, PATIENCE, "the job fails")
    job = service.job(job_id)
    assert len(seen) == job["attempts"] == MAX_ATTEMPTS
    assert "killed by the system, probably because memory ran out" in job["error"]
    assert f"It failed {MAX_ATTEMPTS} times in a row without progress" in job["error"]
    assert service.stack.client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    service.assert_as_undisturbed(job_id)
    assert_nothing_left(service)
