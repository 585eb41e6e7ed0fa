"""The queue only wakes workers: messages that come twice, or never, change nothing."""

from __future__ import annotations

from pathlib import Path

import redis

from store.broker import TRAIN, build_celery
from store.settings import Settings
from tests.support.runs import Service, recorded
from tests.support.servers import Redis


def settings_of(service: Service) -> Settings:
    env = service.stack.env
    return Settings(home=service.stack.home, broker_url=env.get("COLT_BROKER_URL", ""))  # type: ignore[arg-type]


def test_bells_that_ring_too_often_start_each_job_once(service: Service) -> None:
    same, other = service.submit(), service.submit(seed=4)
    celery = build_celery(settings_of(service))
    for _ in range(20):
        celery.send_task(TRAIN)
    celery.close()
    service.assert_as_undisturbed(same)
    assert service.wait_status(other, "succeeded", "failed")["status"] == "succeeded"
    assert [service.job(job_id)["attempts"] for job_id in (same, other)] == [1, 1]
    found = recorded(service.stack, other)  # or else all these comparisons would compare nothing
    assert all(found[name] != service.undisturbed[name] for name in ("metrics", "tailness", "rounds", "checkpoint"))


def test_a_bell_that_nobody_hears_is_rung_again(service: Service) -> None:
    for worker in service.stack.workers:  # nobody is there to hear it
        worker.stop(60)
    job_id = service.submit()
    lose_messages(service)
    for worker in service.stack.workers:
        worker.start()
    service.assert_as_undisturbed(job_id)


def test_a_broker_that_fails_loses_no_job(service: Service, redis_server: Redis) -> None:
    if "COLT_BROKER_URL" not in service.stack.env:
        broken = service.stack.home / "broker"
        hidden = broken.rename(broken.with_name("broker-away"))  # as a disk that is not mounted
        try:
            job_id = service.submit()
        finally:
            hidden.rename(broken)
    else:
        redis_server.stop()
        try:
            job_id = service.submit()
        finally:  # other tests need it too
            redis_server.start()
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
