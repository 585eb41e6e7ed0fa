from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Engine, update

from store import leases
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Dataset, Job, utc_now
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
