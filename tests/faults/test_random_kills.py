"""Whatever is killed, and whenever, a job ends as if nothing had been, and nothing is left lying
about.

A run of five kills belongs to one job. They hit a random moment of a registration, an epoch, a
checkpoint's write, a round and an evaluation. The parts of the service take turns, so that thirty
kills hit each part at each moment. `make test-faults KILLS=200 SEED=7` chooses how many kills there
are, and of which random runs.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from _pytest.mark import ParameterSet

from tests.support.killing import MOMENTS, TARGETS, Kill, Killer
from tests.support.leftovers import assert_nothing_left
from tests.support.runs import ALL_PROBES, Service, begin, wait_status
from tests.support.servers import Postgres, Redis
from tests.support.stack import Kind, running_stack

KILLS = int(os.environ.get("FAULT_KILLS", "100"))
SEED = int(os.environ.get("FAULT_SEED", "0"))
QUICK_RUNS = 1  # five kills, on the back ends with most parts
EMBEDDED_EACH = 5  # one run in so many is on the embedded back ends

# Long enough to be killed four times, with new checkpoints in between.
CONFIG = {"epochs": 30, "warmup_epochs": 5, "sample_interval": 5}

Servers = tuple[Postgres, Redis] | tuple[None, None]


def _run(number: int) -> ParameterSet:
    kind = "embedded" if number % EMBEDDED_EACH == EMBEDDED_EACH - 1 else "distributed"
    return pytest.param(kind, number, marks=() if number < QUICK_RUNS else pytest.mark.slow, id=f"{kind}-{number}")


RUNS = [_run(number) for number in range(-(-KILLS // len(MOMENTS)))]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Servers of these tests' own, since they die."""
    with ExitStack() as ends:
        postgres, redis = Postgres(), Redis()
        ends.callback(postgres.stop)
        ends.callback(redis.remove)
        yield postgres, redis


@pytest.fixture(scope="module")
def mortal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Servers]]:
    """A service on them, or on none, with the record of an undisturbed run."""
    kind: Kind = request.param
    servers: Servers = request.getfixturevalue("servers") if kind == "distributed" else (None, None)
    # On a slow machine all five kills may meet the registration, which gives up at the third by
    # default.
    settings = {"COLT_ORPHAN_SECONDS": "2", "COLT_MAX_ATTEMPTS": str(len(MOMENTS) + 1)}
    with running_stack(tmp_path_factory.mktemp("mortal"), kind, *servers, **settings) as stack:
        yield begin(stack, **CONFIG), servers


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("mortal", "number"), RUNS, indirect=["mortal"], scope="module")  # else each starts its own
def test_a_job_outlives_kills_at_random_moments(mortal: tuple[Service, Servers], number: int) -> None:
    service, (postgres, redis) = mortal
    rng = random.Random(f"{SEED}/{number}")
    targets = _targets("distributed" if postgres else "embedded", number)
    in_training = ["epoch", "checkpoint", "round"]
    rng.shuffle(in_training)

    killer = Killer(service, rng, postgres, redis)
    kill, dataset_id = killer.kill_registering(targets["registration"])
    kills: list[Kill] = [kill]
    job_id = service.submit(ALL_PROBES)
    kills += [killer.kill_training(targets[moment], moment, job_id) for moment in [*in_training, "evaluation"]]
    print(f"run {number}:", *(f"{kill.target}/{kill.moment}{'' if kill.hit else ' (late)'}" for kill in kills))

    service.assert_as_undisturbed(job_id)
    again = wait_status(service.stack, f"datasets/{dataset_id}", "ready", "failed")
    first = service.stack.client.get(f"/api/v1/datasets/{service.dataset_id}").json()
    assert {**again, "id": "", "created_at": ""} == {**first, "id": "", "created_at": ""}
    assert_nothing_left(service)
    assert sum(kill.hit for kill in kills) >= 3, "the kills came too late to show anything"


def _targets(kind: str, number: int) -> dict[str, str]:
    """What is killed at each moment of a run."""
    order = list(TARGETS[kind])
    random.Random(f"{SEED}/{kind}").shuffle(order)
    # Five moments and six (or four) parts have no common divisor: going round both meets each pair.
    turn = number // EMBEDDED_EACH if kind == "embedded" else number - number // EMBEDDED_EACH
    return {moment: order[(turn * len(MOMENTS) + place) % len(order)] for place, moment in enumerate(MOMENTS)}
