"""The service as a whole says what it lacks, and comes back."""

from __future__ import annotations

from tests.support.processes import wait_until
from tests.support.servers import Redis
from tests.support.stack import StartStack


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
