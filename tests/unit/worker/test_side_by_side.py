"""Which jobs run beside which, and on how many threads."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from store.database import writing
from store.devices import Devices
from store.leases import Lease
from store.models import Checkpoint, Dataset, Job
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from worker.side_by_side import Jobs

GB = 2**30
CPU = Devices(4, memory_bytes=8 * GB)
ALONE = None  # torch decides


@pytest.fixture
def dataset(configured: Engine) -> Dataset:
    return add_dataset(configured, status="ready")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(side_by_side: str = "auto", torch_threads: int = 0) -> None:
        monkeypatch.setenv("COLT_JOBS_SIDE_BY_SIDE", side_by_side)
        monkeypatch.setenv("COLT_TORCH_THREADS", str(torch_threads))
        get_settings.cache_clear()

    put()
    return put


def jobs_of(gain: float = 2.0, devices: Devices = CPU) -> Jobs:
    """Jobs of a worker on such a machine."""
    return Jobs(lambda: devices, lambda *_: gain)


def take(jobs: Jobs) -> tuple[Lease, int | None]:
    taken = jobs.take("w")
    assert taken is not None
    return taken


def test_jobs_that_wait_share_the_cores(configured: Engine, dataset: Dataset, setting: Any) -> None:
    for _ in range(6):
        add_job(configured, dataset)
    jobs = jobs_of()
    begun = [take(jobs) for _ in range(4)]
    assert [threads for _, threads in begun] == [1, 1, 1, 1] and not jobs.have_room
    assert jobs.take("w") is None
    jobs.ended(begun[2][0])
    assert jobs.have_room and take(jobs)[1] == 1


def test_a_lone_job_has_all_cores_and_no_neighbour(configured: Engine, dataset: Dataset, setting: Any) -> None:
    add_job(configured, dataset)
    jobs = jobs_of()
    lease, threads = take(jobs)
    assert threads is ALONE
    add_job(configured, dataset)
    add_job(configured, dataset)
    assert jobs.take("w") is None
    jobs.ended(lease)
    assert take(jobs)[1] == 1, "by now others wait"


@pytest.mark.parametrize(
    ("devices", "gain", "values"),
    [
        (CPU, 1.05, {}),
        (Devices(1), 2.0, {}),
        (Devices(4, ("GPU",)), 2.0, {}),
        (CPU, 2.0, {"side_by_side": "1"}),
        (CPU, 1.0, {"torch_threads": 2}),
    ],
    ids=["no gain", "one core", "a GPU", "set to one", "no gain on two threads each"],
)
def test_else_one_runs_after_the_other(
    configured: Engine, dataset: Dataset, setting: Any, devices: Devices, gain: float, values: dict[str, Any]
) -> None:
    setting(**values)
    for _ in range(3):
        add_job(configured, dataset)
    jobs = jobs_of(gain, devices)
    lease, threads = take(jobs)
    assert threads == values.get("torch_threads", ALONE)
    assert jobs.take("w") is None
    jobs.ended(lease)
    assert jobs.take("w") is not None


def test_settings_override_the_measurement(configured: Engine, dataset: Dataset, setting: Any) -> None:
    def never(*_: int) -> float:
        raise AssertionError("nothing is to be measured")

    setting("2")
    add_job(configured, dataset)
    jobs = Jobs(lambda: CPU, never)
    assert take(jobs)[1] == 2, "also of one that is alone yet"
    add_job(configured, dataset)
    assert take(jobs)[1] == 2 and not jobs.have_room


def test_the_measurement_is_of_what_would_run(configured: Engine, dataset: Dataset, setting: Any) -> None:
    asked: list[tuple[int, ...]] = []
    for threads in (0, 2):
        setting(torch_threads=threads)
        for _ in range(2):
            add_job(configured, dataset)
        jobs = Jobs(lambda: CPU, lambda *args: asked.append(args) or 1.5)  # type: ignore[func-returns-value]
        take(jobs), take(jobs), jobs.take("w")
    assert asked == [(4, 1, 4), (2, 2, 2)]


def test_a_job_keeps_the_threads_on_which_it_began(configured: Engine, dataset: Dataset, setting: Any) -> None:
    """Else its numbers would change in the last digits."""
    on_two = add_job(configured, dataset, turn=0, compute={"device": "cpu", "threads": 2})
    on_one = [add_job(configured, dataset, turn=1, compute={"device": "cpu", "threads": 1}).id for _ in range(2)]
    elsewhere = add_job(configured, dataset, turn=2, compute={"device": "cuda", "threads": 9})
    jobs = jobs_of()
    first, threads = take(jobs)
    assert (first.id, threads) == (on_two.id, 2)
    assert jobs.take("w") is None, "it takes more than its share"
    jobs.ended(first)
    begun = [take(jobs) for _ in range(2)]
    assert {lease.id for lease, _ in begun} == set(on_one) and [threads for _, threads in begun] == [1, 1]
    for lease, _ in begun:
        jobs.ended(lease)
    assert take(jobs)[0].id == elsewhere.id


def test_a_lone_job_has_the_threads_of_the_one_whose_beginning_it_takes_over(
    configured: Engine, dataset: Dataset, setting: Any
) -> None:
    compute = {"device": "cpu", "threads": 3}
    source = add_job(configured, dataset, status="succeeded", beginning="b", compute=compute)
    with writing() as session:
        session.add(Checkpoint(id="c", job_id=source.id, epoch=1, step=1, artifact="a", bytes=1, sha256="s"))
        session.flush()
        session.get_one(Job, source.id).beginning_checkpoint_id = "c"
    add_job(configured, dataset, beginning="b")
    assert take(jobs_of())[1] == 3


def test_while_one_place_rests_after_a_failure_no_other_takes_a_job(
    configured: Engine, dataset: Dataset, setting: Any
) -> None:
    add_job(configured, dataset)
    jobs = jobs_of()
    with jobs.resting():
        assert jobs.take("w") is None
    take(jobs)


def test_a_job_of_several_processes_runs_alone(configured: Engine, dataset: Dataset, setting: Any) -> None:
    add_job(configured, dataset, turn=0)
    several = add_job(configured, dataset, turn=1, config={"num_processes": 2})
    add_job(configured, dataset, turn=2)
    jobs = jobs_of()
    begun = [take(jobs)[0] for _ in range(2)]
    assert several.id not in {lease.id for lease in begun} and jobs.take("w") is None
    for lease in begun:
        jobs.ended(lease)
    lease, threads = take(jobs)
    assert (lease.id, threads) == (several.id, ALONE)
    add_job(configured, dataset)
    assert jobs.take("w") is None


def test_what_needs_more_memory_than_is_left_waits(configured: Engine, dataset: Dataset, setting: Any) -> None:
    def needs(memory: int, turn: int) -> str:
        estimate = {"device": "cpu", "memory_bytes": memory, "processes": 1, "memory": {"peak": memory}}
        return add_job(configured, dataset, turn=turn, estimate=estimate).id

    first, large, small = needs(5 * GB, 0), needs(4 * GB, 1), needs(2 * GB, 2)
    jobs = jobs_of()
    begun = [take(jobs)[0] for _ in range(2)]
    assert [lease.id for lease in begun] == [first, small]
    assert jobs.take("w") is None
    jobs.ended(begun[0])
    assert take(jobs)[0].id == large
