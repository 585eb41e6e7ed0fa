from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Engine, update

from store import leases
from store.database import reading, writing
from store.devices import Devices
from store.leases import Lease, LeaseLost
from store.models import Checkpoint, Dataset, Evaluation, Job, utc_now
from tests.support.rows import add_dataset, add_job


def claim(engine: Engine, seconds: float = 60) -> Lease | None:
    with writing(engine) as session:
        return leases.claim(session, Dataset, "worker", seconds)


def test_the_oldest_waiting_row_comes_first(engine: Engine) -> None:
    now = utc_now()
    ids = [add_dataset(engine, created_at=now - dt.timedelta(seconds=age)).id for age in (1, 3, 2)]
    claimed = [claim(engine) for _ in range(4)]
    assert [lease.id if lease else None for lease in claimed] == [ids[1], ids[2], ids[0], None]


@pytest.mark.parametrize("status", ["ready", "failed"])
def test_what_does_not_wait_is_not_claimed(engine: Engine, status: str) -> None:
    add_dataset(engine, status=status)
    assert claim(engine) is None
    with reading(engine) as session:
        assert not leases.has_waiting(session, Dataset, Job)


def test_a_claimed_job_runs_and_waits_no_more(engine: Engine) -> None:
    job = add_job(engine, add_dataset(engine, status="ready"))
    with reading(engine) as session:
        assert leases.has_waiting(session, Job)
    with writing(engine) as session:
        lease = leases.claim(session, Job, "worker", 60)
    assert lease is not None
    with reading(engine) as session:
        assert not leases.has_waiting(session, Job)
        assert leases.status(session, lease) == "running"
        row = session.get_one(Job, job.id)
        assert (row.attempts, row.worker_id) == (1, "worker")


CPU, ONE_GPU, TWO_GPUS = Devices(8), Devices(8, ("H200",)), Devices(8, ("H200", "H200"))


@pytest.mark.parametrize("devices", [CPU, ONE_GPU, TWO_GPUS])
def test_a_job_is_left_to_a_worker_that_can_run_it(engine: Engine, devices: Devices) -> None:
    dataset = add_dataset(engine, status="ready")
    settings = [{"device": device, "num_processes": number} for device in ("cuda", "auto", "cpu") for number in (2, 1)]
    jobs = [add_job(engine, dataset, config=config) for config in [{}, *settings]]  # {}: of an earlier version
    claimed = set()
    with writing(engine) as session:
        while (lease := leases.claim(session, Job, "worker", 60, devices)) is not None:
            claimed.add(lease.id)
    runnable = [devices.can_run(config["device"], config["num_processes"]) for config in settings]
    assert claimed == {job.id for job, can in zip(jobs, [True, *runnable], strict=True) if can}
    assert sum(runnable) == {CPU: 4, ONE_GPU: 4, TWO_GPUS: 6}[devices]


GB = 10**9
ESTIMATES: dict[str, dict[str, Any] | None] = {
    "unknown": None,
    "small": {"device": "cpu", "memory_bytes": 3 * GB, "processes": 2, "memory": {"peak": GB}},
    "large": {"device": "cpu", "memory_bytes": 5 * GB, "processes": 2, "memory": {"peak": GB}},
    "many": {"device": "cpu", "memory_bytes": 3 * GB, "processes": 3, "memory": {"peak": GB}},
    "gpu": {"device": "cuda", "memory_bytes": 30 * GB, "processes": 2, "memory": {"peak": 15 * GB}},
}


@pytest.mark.parametrize(
    ("devices", "held"),
    [
        (Devices(2, memory_bytes=4 * GB), {"unknown", "small"}),
        (Devices(2), {"unknown", "small", "large"}),
        (Devices(4, memory_bytes=8 * GB), {"unknown", "small", "large", "many"}),
        (Devices(2, ("GPU",), 4 * GB, (16 * GB,)), {"unknown", "small", "gpu"}),
        (Devices(2, ("GPU",), 4 * GB, (8 * GB,)), {"unknown", "small"}),
    ],
)
def test_a_job_is_left_to_a_worker_that_holds_it(engine: Engine, devices: Devices, held: set[str]) -> None:
    dataset = add_dataset(engine, status="ready")
    for name, estimate in ESTIMATES.items():
        device = "cpu" if estimate is None else estimate["device"]
        if device == "cpu" or devices.cuda:
            add_job(engine, dataset, name=name, config={"device": device}, estimate=estimate)
    claimed = set()
    with writing(engine) as session:
        while (lease := leases.claim(session, Job, "worker", 60, devices)) is not None:
            claimed.add(session.get_one(Job, lease.id).name)
    assert claimed == held


def test_a_probe_is_left_to_a_worker_with_the_device_of_its_run(engine: Engine) -> None:
    job = add_job(engine, add_dataset(engine, status="ready"), config={"device": "cuda", "num_processes": 4})
    with writing(engine) as session:
        session.add(Checkpoint(id="c", job_id=job.id, epoch=3, step=9, artifact="a", bytes=1, sha256="s"))
        session.flush()
        session.add(Evaluation(job_id=job.id, checkpoint_id="c", epoch=3, kind="knn", config={}))
        session.flush()
        assert leases.claim(session, Evaluation, "worker", 60, CPU) is None
        assert leases.claim(session, Evaluation, "worker", 60, ONE_GPU) is not None  # it runs in one process


def test_a_lease_expires_unless_it_is_renewed(engine: Engine) -> None:
    add_dataset(engine)
    lease = claim(engine, seconds=-1)
    assert lease is not None
    with writing(engine) as session:
        assert [row.id for row in leases.expired(session, Dataset)] == [lease.id]
    with writing(engine) as session:
        leases.renew(session, lease, 60)
    with writing(engine) as session:
        assert leases.expired(session, Dataset) == []


def test_whoever_lost_the_lease_writes_nothing(engine: Engine) -> None:
    add_dataset(engine)
    old = claim(engine)
    assert old is not None
    with writing(engine) as session:
        session.execute(update(Dataset).values(lease_token=None))
    new = claim(engine)
    assert new is not None and new.id == old.id and new.token != old.token
    for act in (
        lambda session: leases.renew(session, old, 60),
        lambda session: leases.write(session, old, name="stolen"),
        lambda session: leases.finish(session, old, "ready"),
        lambda session: leases.held(session, old),
        lambda session: leases.status(session, old),
    ):
        with pytest.raises(LeaseLost), writing(engine) as session:
            session.execute(update(Dataset).values(progress=0.5))  # rolled back together with it
            act(session)
    with reading(engine) as session:
        row = session.get_one(Dataset, new.id)
        assert (row.name, row.status, row.progress, row.lease_token) == ("digits", "registering", 0.0, new.token)


def test_a_deleted_row_is_a_lost_lease(engine: Engine) -> None:
    row = add_dataset(engine)
    lease = claim(engine)
    assert lease is not None
    with writing(engine) as session:
        session.delete(session.get_one(Dataset, row.id))
    with pytest.raises(LeaseLost), writing(engine) as session:
        leases.write(session, lease, progress=1.0)


def test_finishing_gives_the_row_back(engine: Engine) -> None:
    add_dataset(engine)
    lease = claim(engine)
    assert lease is not None
    with writing(engine) as session:
        leases.finish(session, lease, "ready", num_samples=3)
    with reading(engine) as session:
        row = session.get_one(Dataset, lease.id)
        assert (row.status, row.num_samples, row.lease_token, row.lease_expires_at) == ("ready", 3, None, None)
