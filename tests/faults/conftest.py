"""One service for all tests of faults, on each pair of back ends in turn: starting it takes longer
than a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.runs import Service, begin
from tests.support.stack import STACKS, running_stack

ORPHAN_SECONDS = "2"  # so that a test need not wait a day for the clean-up


@pytest.fixture(scope="session", params=STACKS)
def shared_service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Registered data and the record of an undisturbed run; `embedded` has one worker,
    `distributed` two."""
    servers = (
        (request.getfixturevalue("postgres"), request.getfixturevalue("redis_server"))
        if request.param == "distributed"
        else (None, None)
    )
    with running_stack(
        tmp_path_factory.mktemp("stack"), request.param, *servers, COLT_ORPHAN_SECONDS=ORPHAN_SECONDS
    ) as stack:
        yield begin(stack)


@pytest.fixture
def service(shared_service: Service) -> Iterator[Service]:
    """That service; whatever a test killed runs again afterwards."""
    yield shared_service
    for process in shared_service.stack.processes:
        if not process.running:
            process.start()
    shared_service.stack.wait_ready()
