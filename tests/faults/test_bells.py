"""The queue only wakes workers: messages that come twice, or never, change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from store.bells import Bell
from store.broker import build_celery
from store.settings import Settings
from tests.support.runs import Service, recorded


def settings_of(service: Service) -> Settings:
    env = service.stack.env
    return Settings(home=service.stack.home, broker_url=env.get("COLT_BROKER_URL", ""))  # type: ignore[arg-type]


# A claim is what keeps a job from a second start; tests/unit holds claims to both engines.
@pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
def test_bells_that_ring_too_often_start_each_job_once(service: Service) -> None:
    other = service.submit(seed=4)
    celery = build_celery(settings_of(service))
    for _ in range(20):
        celery.send_task(Bell.TRAIN)
    celery.close()
    assert service.wait_status(other, "succeeded", "failed")["status"] == "succeeded"
    service.assert_attempts(other, 1)
    found = recorded(service.stack, other)  # or else all comparisons with the undisturbed run would compare nothing
    assert all(found[name] != service.undisturbed[name] for name in ("metrics", "tailness", "rounds", "checkpoint"))


def test_a_bell_that_nobody_hears_is_rung_again(service: Service) -> None:
    """Of a job that waits, was cancelled at once, and was resumed."""
    client = service.stack.client
    for worker in service.stack.workers:  # nobody is there to hear it
        worker.stop(60)
    job_id = service.submit()
    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    job = service.job(job_id)
    assert (job["status"], job["started_at"]) == ("cancelled", None)
    assert client.post(f"/api/v1/jobs/{job_id}/resume").status_code < 300
    assert service.job(job_id)["status"] == "queued"
    lose_messages(service)
    for worker in service.stack.workers:
        worker.start()
    service.assert_as_undisturbed(job_id)


@pytest.mark.parametrize("shared_service", ["embedded"], indirect=True)
def test_a_broker_that_fails_loses_no_job(service: Service) -> None:
    """A folder, as on a disk that is not mounted. Redis away is in test_outages.py."""
    broken = service.stack.home / "broker"
    hidden = broken.rename(broken.with_name("broker-away"))
    try:
        job_id = service.submit()
    finally:
        hidden.rename(broken)
    service.assert_as_undisturbed(job_id)
    assert all(worker.running for worker in service.stack.workers)


def lose_messages(service: Service) -> None:
    """Empty the broker."""
    url = service.stack.env.get("COLT_BROKER_URL")
    if url is None:
        for message in Path(service.stack.home / "broker").glob("*.msg"):
            message.unlink()
        return
    with redis.Redis.from_url(url) as client:
        client.flushdb()
