"""The service as a whole starts on either pair of back ends, says what it lacks, and comes back."""

from __future__ import annotations

import pytest

from tests.support.processes import wait_until
from tests.support.servers import Redis
from tests.support.stack import STACKS, Kind, StartStack


@pytest.mark.parametrize("kind", STACKS)
def test_every_worker_reports_and_the_api_comes_back(start_stack: StartStack, kind: Kind) -> None:
    stack = start_stack(kind)
    assert stack.client.get("/healthz").status_code == 200
    live = f"colt_workers_live {len(stack.workers)}.0"
    wait_until(lambda: live in stack.client.get("/metrics").text, 30, live)

    stack.api.kill()
    stack.api.start()
    stack.wait_ready()


def test_a_lost_broker_is_named_until_it_is_back(start_stack: StartStack, redis_server: Redis) -> None:
    stack = start_stack("distributed", workers=1)
    redis_server.stop()
    try:
        wait_until(lambda: stack.client.get("/readyz").status_code == 503, 20, "readyz notices")
        assert "broker" in stack.client.get("/readyz").text
        assert stack.client.get("/healthz").status_code == 200
    finally:
        redis_server.start()
    stack.wait_ready()
