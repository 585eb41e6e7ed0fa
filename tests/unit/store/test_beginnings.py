"""Jobs that share the epochs before their first sampling round, on each engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, select

from store import leases
from store.database import reading, writing
from store.leases import Lease
from store.models import Checkpoint, CurveBucket, Job, JobEvent, Metric, TailnessEpoch
from store.repositories import beginnings, curve_buckets, events, jobs, recording
from tests.support.locks import start_behind
from tests.support.rows import add_dataset, add_job
from worker import outcome

W, STEPS = 3, 60  # epochs and steps of the beginning


def claim(engine: Engine) -> str | None:
    lease = lease_of(engine)
    return None if lease is None else lease.id


def lease_of(engine: Engine) -> Lease | None:
    with writing(engine) as session:
        return leases.claim(session, Job, "worker", 60)


@pytest.fixture
def trio(engine: Engine) -> list[str]:
    """Three jobs with one beginning, in the order of their turns."""
    dataset = add_dataset(engine, status="ready")
    return [add_job(engine, dataset, beginning="b", turn=turn).id for turn in range(3)]


def set_values(engine: Engine, job_id: str, **values: Any) -> None:
    with writing(engine) as session:
        for name, value in values.items():
            setattr(session.get_one(Job, job_id), name, value)


def end_beginning(engine: Engine, job_id: str) -> Checkpoint:
    """Give a job its checkpoint at the end of the beginning."""
    row = Checkpoint(id=f"of-{job_id}", job_id=job_id, epoch=W, step=STEPS, artifact="a", bytes=1, sha256="s")
    with writing(engine) as session:
        session.add(row)
        session.flush()
        session.get_one(Job, job_id).beginning_checkpoint_id = row.id
    return row


def test_one_trains_the_beginning_and_the_others_wait_for_it(engine: Engine, trio: list[str]) -> None:
    dataset = add_dataset(engine, status="ready")
    others = [add_job(engine, dataset, beginning=beginning, turn=5).id for beginning in (None, "other")]
    assert claim(engine) == trio[0]
    assert {claim(engine), claim(engine)} == set(others), "they wait for no one"
    assert claim(engine) is None
    end_beginning(engine, trio[0])
    assert [claim(engine) for _ in range(3)] == [trio[1], trio[2], None]


@pytest.mark.parametrize("end", ["failed", "cancelled", "deleted", "put back"])
def test_when_it_ends_before_another_takes_its_place(engine: Engine, trio: list[str], end: str) -> None:
    lease = lease_of(engine)
    assert lease is not None and claim(engine) is None
    with writing(engine) as session:
        if end == "put back":
            assert outcome.interrupted(session, lease) == "queued"
        elif end == "cancelled":
            assert jobs.cancel(session, lease.id)
            assert outcome.interrupted(session, lease) == "cancelled"
        else:
            outcome.failed(session, lease, "it diverged")
            assert end != "deleted" or jobs.remove(session, lease.id)
    assert [claim(engine), claim(engine)] == [trio[0] if end == "put back" else trio[1], None]


def test_a_job_that_is_past_its_beginning_waits_for_none(engine: Engine, trio: list[str]) -> None:
    """As when the one that trained it was deleted, and another one trains it again."""
    assert claim(engine) == trio[0]
    set_values(engine, trio[1], beginning_job_id="deleted")
    assert [claim(engine), claim(engine)] == [trio[1], None]


def test_a_damaged_end_is_no_end(engine: Engine, trio: list[str]) -> None:
    end = end_beginning(engine, trio[0])
    assert claim(engine) == trio[0]
    with writing(engine) as session:
        session.get_one(Checkpoint, end.id).sha256 = ""
        assert beginnings.trained(session, session.get_one(Job, trio[1])) is None
    assert claim(engine) == trio[1], "it trains the beginning"
    assert claim(engine) is None


def test_two_claims_at_once_do_not_both_train_it(engine: Engine, trio: list[str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        with writing(engine) as session:
            first = leases.claim(session, Job, "a", 60)
            second = start_behind(pool, engine, lambda: claim(engine))
        assert first is not None and first.id == trio[0]
        assert second.result() is None


def record(engine: Engine, job_id: str, epochs: int, steps: int) -> None:
    """Curves, tailness and warnings as a run leaves them."""
    with writing(engine) as session:
        points = [("loss", step, 1 / step) for step in range(1, steps + 1)]
        each = steps // epochs
        points += [("epoch_loss", each * epoch, float(epoch)) for epoch in range(1, epochs + 1)]
        recording.add_metrics(session, job_id, points)
        session.add_all(
            TailnessEpoch(job_id=job_id, epoch=epoch, class_means=[float(epoch)], scores=bytes([epoch]))
            for epoch in range(1, epochs + 1)
        )
        for epoch in (2, 5):
            told = {"epoch": epoch, "step": each * epoch, "code": f"at {epoch}", "detail": ".", "count": 1}
            events.append(session, job_id, "warning", told)


def curves(engine: Engine, job_id: str) -> list[Any]:
    with reading(engine) as session:
        found = [
            session.execute(select(*columns).where(columns[0].class_.job_id == job_id)).all() for columns in COLUMNS
        ]
        return [sorted(map(tuple, rows)) for rows in found]


COLUMNS: list[Any] = [
    (Metric.name, Metric.step, Metric.value),
    (TailnessEpoch.epoch, TailnessEpoch.scores),
    tuple(getattr(CurveBucket, column.name) for column in CurveBucket.__table__.columns if column.name != "job_id"),
]


@pytest.mark.parametrize("own", [0, 1])
def test_all_that_was_recorded_of_the_beginning_is_taken_over(engine: Engine, trio: list[str], own: int) -> None:
    """Also by a job that has trained a part of it."""
    source, job_id, alone = trio
    record(engine, source, 6, 120)
    record(engine, alone, W, STEPS)
    if own:
        record(engine, job_id, 2, 40)
    end = end_beginning(engine, source)
    set_values(engine, job_id, warnings=[{"code": "leak"}])
    with writing(engine) as session:
        found = beginnings.trained(session, session.get_one(Job, job_id))
        assert found is not None and (found[0].id, found[1].id) == (source, end.id)
        beginnings.take_over(session, job_id, end, epoch=own, step=20 * own)
    assert curves(engine, job_id) == curves(engine, alone)
    with reading(engine) as session:
        job = session.get_one(Job, job_id)
        assert (job.epoch, job.step, job.loss, job.beginning_job_id) == (W, STEPS, float(W), source)
        assert [warning["code"] for warning in job.warnings or []] == ["leak", "at 2"]
        told = session.scalars(select(JobEvent.data).where(JobEvent.job_id == job_id)).all()
        assert [(data["code"], data["step"]) for data in told] == [("at 2", 40)]
        assert curve_buckets.extents(session, job_id, ["loss"])["loss"].points == STEPS


def test_the_first_may_be_deleted_and_the_others_stay_whole(engine: Engine, trio: list[str]) -> None:
    source, job_id, late = trio
    record(engine, source, W, STEPS)
    end = end_beginning(engine, source)
    with writing(engine) as session:
        beginnings.take_over(session, job_id, end, epoch=0, step=0)
    before = curves(engine, job_id)
    with writing(engine) as session:
        assert jobs.remove(session, source)
    assert curves(engine, job_id) == before != []
    with reading(engine) as session:
        assert session.get_one(Job, job_id).beginning_job_id == source
    with pytest.raises(beginnings.BeginningGone), writing(engine) as session:
        beginnings.take_over(session, late, end, epoch=0, step=0)


def test_the_end_of_the_beginning_stays_among_the_checkpoints(engine: Engine, trio: list[str]) -> None:
    end = end_beginning(engine, trio[0])
    with writing(engine) as session:
        later = Checkpoint(job_id=trio[0], epoch=9, step=180, artifact="z", bytes=1, sha256="s")
        session.add(later)
        session.flush()
        assert recording.drop_old_checkpoints(session, trio[0], keep=1) == []
        recording.discard_after(session, trio[0], epoch=0, step=0, rounds=0)
        assert not session.get_one(Checkpoint, end.id, populate_existing=True).usable
        again = Checkpoint(id="again", job_id=trio[0], epoch=W, step=STEPS, artifact="a-b", bytes=1, sha256="s")
        session.execute(Checkpoint.__table__.update().where(Checkpoint.id == end.id).values(artifact="a-a"))
        assert recording.replace_checkpoint(session, again) == ["a-a"]
        assert session.get_one(Job, trio[0], populate_existing=True).beginning_checkpoint_id == "again"
