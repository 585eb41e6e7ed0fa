from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Engine, update

from store import leases
from store.database import reading, writing
from store.devices import Devices
from store.models import Job, JobAttempt, JobEvent, Seat, utc_now
from store.repositories import seats
from store.repositories.seats import Offer
from tests.support.rows import add_dataset, add_job

CPU, TWO_GPUS = Devices(8), Devices(8, ("H200", "H200"))
OVER_TWO = {"num_hosts": 2, "num_processes": 4}


@pytest.fixture
def job(engine: Engine) -> Job:
    return add_job(engine, add_dataset(engine, status="ready"), config=OVER_TWO)


def offered(engine: Engine, worker: str, devices: Devices = CPU, without: tuple[str, ...] = ()) -> Seat | None:
    with writing(engine) as session:
        return seats.offer(session, Offer(worker, f"10.0.0.{len(worker)}", {"torch": "2"}), devices, 60, without)


def begun(engine: Engine, seat: Seat | None) -> list[tuple[int | None, str]] | None:
    assert seat is not None
    with writing(engine) as session:
        found = seats.begin(session, seat.id, 60)
        return None if found is None else [(one.node_rank, one.worker_id) for one in found[1]]


def test_a_job_begins_when_all_its_seats_are_held(engine: Engine, job: Job) -> None:
    first = offered(engine, "a")
    assert begun(engine, first) is None
    second = offered(engine, "bb")
    assert begun(engine, second) is None, "the first leads"
    assert offered(engine, "ccc") is None, "it has all it needs"
    assert begun(engine, first) == [(0, "a"), (1, "bb")]
    with reading(engine) as session:
        row = session.get_one(Job, job.id)
        assert (row.status, row.worker_id, row.attempts) == ("running", "a", 1)
        assert row.lease_token and session.get_one(JobAttempt, (job.id, 1)).worker_id == "a"
        assert [(seat.attempt, seat.address) for seat in seats.of_attempt(session, job.id, 1)] == [
            (1, "10.0.0.1"),
            (1, "10.0.0.2"),
        ]
        assert "a at 10.0.0.1, bb at 10.0.0.2" in str([event.data for event in session.query(JobEvent)])


def test_no_worker_alone_claims_a_job_of_several_machines(engine: Engine, job: Job) -> None:
    with writing(engine) as session:
        assert leases.waits_for_hosts(session) and leases.claim(session, Job, "a", 60) is None
    one = add_job(engine, add_dataset(engine, status="ready"), turn=1)
    with writing(engine) as session:
        lease = leases.claim(session, Job, "a", 60)
    assert lease is not None and lease.id == one.id


def test_a_job_of_one_machine_whose_turn_it_is_goes_first(engine: Engine, job: Job) -> None:
    add_job(engine, add_dataset(engine, status="ready"), turn=-1)
    assert offered(engine, "a") is None


def test_one_job_assembles_at_a_time(engine: Engine, job: Job) -> None:
    other = add_job(engine, add_dataset(engine, status="ready"), config=OVER_TWO, turn=1)
    first = offered(engine, "a")
    assert first is not None and first.job_id == job.id
    assert offered(engine, "bb", without=(job.id,)) is None, "the first job still assembles"
    assert offered(engine, "a") is None, "a worker has one seat"
    second = offered(engine, "bb")
    assert begun(engine, first) is not None and second is not None
    third = offered(engine, "ccc")
    assert third is not None and third.job_id == other.id


def test_machines_of_one_job_have_devices_alike(engine: Engine, job: Job) -> None:
    assert offered(engine, "a", TWO_GPUS) is not None
    assert offered(engine, "bb") is None
    assert offered(engine, "bb", TWO_GPUS) is not None
    assert [seats.gpus_of(OVER_TWO | {"device": device}, TWO_GPUS) for device in ("cpu", "auto", "cuda")] == [0, 2, 2]
    assert seats.gpus_of(OVER_TWO, CPU) == 0


def test_each_machine_needs_the_gpus_of_its_own_processes(engine: Engine) -> None:
    config = {"device": "cuda", "num_hosts": 2, "num_processes": 6}
    add_job(engine, add_dataset(engine, status="ready"), config=config)
    assert offered(engine, "a", TWO_GPUS) is None
    assert offered(engine, "a", Devices(8, ("H200",) * 3)) is not None


def test_seats_of_a_job_that_does_not_get_all_are_given_back(engine: Engine, job: Job) -> None:
    seat = offered(engine, "a")
    assert seat is not None
    with writing(engine) as session:
        seats.give_up(session, job.id)
        assert seats.renew(session, seat.id, 60), "it has not waited long"
    with writing(engine) as session:
        early = utc_now() - dt.timedelta(seconds=seats.ASSEMBLY_SECONDS + 1)
        session.execute(update(Seat).values(created_at=early))
        seats.give_up(session, job.id)
        assert not seats.renew(session, seat.id, 60)
    with reading(engine) as session:
        row = session.get_one(Job, job.id)
        assert (row.status, row.lease_token) == ("queued", None)


def test_an_offer_of_a_worker_that_fell_silent_does_not_count(engine: Engine, job: Job) -> None:
    first = offered(engine, "a")
    with writing(engine) as session:
        session.execute(update(Seat).values(lease_expires_at=utc_now() - dt.timedelta(seconds=1)))
    second = offered(engine, "bb")
    assert begun(engine, second) is None and begun(engine, first) is None
    third = offered(engine, "ccc")
    assert third is not None
    assert begun(engine, second) == [(0, "bb"), (1, "ccc")]


def test_a_cancelled_job_does_not_begin(engine: Engine, job: Job) -> None:
    first, _ = offered(engine, "a"), offered(engine, "bb")
    with writing(engine) as session:
        session.execute(update(Job).values(status="cancelled"))
    assert begun(engine, first) is None


def test_a_held_seat_stays_as_a_record(engine: Engine, job: Job) -> None:
    first, _ = offered(engine, "a"), offered(engine, "bb")
    assert begun(engine, first) is not None and first is not None
    with writing(engine) as session:
        seats.listen_on(session, first.id, 29_500)
        seats.leaves(session, first.id)
        seats.give_back(session, first.id)
    with reading(engine) as session:
        leader, other = seats.of_attempt(session, job.id, 1)
        assert (leader.port, leader.leaving, leader.lease_expires_at) == (29_500, True, None)
        assert other.lease_expires_at is not None
        rows, _ = seats.page(session, job.id, 10, None).all()
        assert [row.worker_id for row in rows] == ["bb", "a"]
