"""Whose work is claimed next, on each engine."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, text

from store import leases
from store.database import reading, writing
from store.leases import Lease
from store.models import Dataset, Job, Leased, new_id, utc_now
from store.repositories import turns
from store.repositories.turns import COST, QueueFull
from tests.support.rows import add_dataset
from worker import outcome


def queue(engine: Engine, name: str, submitter: str | None, most: int = 100, **place: Any) -> str:
    """A data set that waits, placed as the API does it. Returns its id."""
    with writing(engine) as session:
        turns.lock(session, submitter)
        columns = turns.place(session, Dataset, submitter, most, **place).columns
        row = Dataset(name=name, spec={}, **columns)
        session.add(row)
        session.flush()
        return row.id


def claim(engine: Engine, **options: Any) -> Lease | None:
    with writing(engine) as session:
        return leases.claim(session, Dataset, "worker", 60, **options)


def claimed(engine: Engine, count: int) -> list[str]:
    """Names of the next rows, each finished before the next is claimed."""
    names = []
    for _ in range(count):
        lease = claim(engine)
        assert lease is not None
        with writing(engine) as session:
            names.append(session.get_one(Dataset, lease.id).name)
            leases.finish(session, lease, "ready")
    return names


def test_one_that_queues_much_delays_another_by_one(engine: Engine) -> None:
    for number in range(20):
        queue(engine, f"a{number}", "a")
    assert claimed(engine, 3) == ["a0", "a1", "a2"]
    running = claim(engine)
    for number in range(3):
        queue(engine, f"b{number}", "b")
    queue(engine, "none", None)  # without a token
    assert running is not None
    assert sorted(claimed(engine, 3)) == ["a4", "b0", "none"]
    assert sorted(claimed(engine, 2)) == ["a5", "b1"]
    assert sorted(claimed(engine, 2)) == ["a6", "b2"]
    assert claimed(engine, 2) == ["a7", "a8"]


def test_who_comes_back_again_and_again_does_not_starve_others(engine: Engine) -> None:
    for _ in range(50):
        queue(engine, "much", "a")
    claimed(engine, 30)
    found: Counter[str] = Counter()
    for _ in range(20):
        queue(engine, "one", "b")
        found.update(claimed(engine, 1))
    assert found["much"] >= 9 and found["one"] >= 9


def test_small_work_passes_large_work_of_the_same_submitter(engine: Engine) -> None:
    queue(engine, "large", "a", cost=10 * COST, is_large=True)
    for number in range(3):
        queue(engine, f"small{number}", "a")
    assert claimed(engine, 4) == ["small0", "small1", "small2", "large"]


def test_large_work_does_not_wait_without_end(engine: Engine) -> None:
    queue(engine, "large", "a", cost=10 * COST, is_large=True)
    order = []
    for _ in range(30):
        for submitter in ("a", "b"):
            queue(engine, "small", submitter)
        order += claimed(engine, 1)
    assert "large" in order[5:]


def test_the_place_for_small_work_leaves_large_work(engine: Engine) -> None:
    queue(engine, "large", "a", is_large=True)
    assert claim(engine, small_only=True) is None
    small = queue(engine, "small", "a")
    lease = claim(engine, small_only=True)
    assert lease is not None and lease.id == small
    assert claimed(engine, 1) == ["large"]


def test_rows_of_earlier_versions_come_first_in_their_order(engine: Engine) -> None:
    queue(engine, "new", "a")
    now = utc_now()
    for age in (1, 2):
        add_dataset(engine, name=f"old{age}", created_at=now - dt.timedelta(hours=age))
    assert claimed(engine, 3) == ["old2", "old1", "new"]


def test_work_that_was_interrupted_goes_on_before_new_work(engine: Engine) -> None:
    queue(engine, "long", "a", cost=50 * COST)
    lease = claim(engine)
    assert lease is not None
    for number in range(3):
        queue(engine, f"b{number}", "b")
    with writing(engine) as session:
        outcome.interrupted(session, lease)
    assert claimed(engine, 2) == ["long", "b0"]


def test_a_submitter_has_so_many_that_wait_and_no_more(engine: Engine) -> None:
    for _ in range(2):
        queue(engine, "a", "a", most=2)
    with pytest.raises(QueueFull) as full:
        queue(engine, "a", "a", most=2)
    assert full.value.waiting == 2
    queue(engine, "b", "b", most=2)
    assert claim(engine) is not None  # what runs does not wait
    queue(engine, "a", "a", most=2)


def test_how_many_come_before(engine: Engine) -> None:
    ids = [queue(engine, name, submitter) for name, submitter in (("a0", "a"), ("a1", "a"), ("b0", "b"))]

    def ahead() -> list[int | None]:
        with reading(engine) as session:
            return [turns.ahead(session, session.get_one(Dataset, row_id)) for row_id in ids]

    assert ahead() == [0, 2, 1]
    lease = claim(engine)
    assert lease is not None and lease.id == ids[0]
    assert ahead() == [None, 1, 0]


MANY = 10_000


def _fill(connection: Connection, dataset: Dataset, model: type[Leased]) -> None:
    common: dict[str, Any] = {"name": "n", "attempts": 0, "faults": 0, "is_large": False}
    if model is Job:
        common |= {"dataset_id": dataset.id, "config": {}, "framework": "f", "sampler": "s", "evaluations": []}
        common |= {"epochs": 1, "tags": []}
    else:
        common |= {"spec": {}, "progress": 0.0}
    values = [
        common | {"id": new_id(), "status": model.waiting, "turn": number * COST, "submitter": str(number % 7)}
        for number in range(MANY)
    ]
    connection.execute(insert(model), values)


@pytest.mark.parametrize("model", [Job, Dataset])
def test_a_claim_among_many_rows_reads_an_index_and_sorts_nothing(engine: Engine, model: type[Leased]) -> None:
    dataset = add_dataset(engine, status="ready")
    with engine.begin() as connection:
        _fill(connection, dataset, model)
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    ran: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *seen: ran.append((seen[2], seen[3])))
    with writing(engine) as session:
        ran.clear()
        assert leases.claim(session, model, "worker", 60) is not None
    updates = [(statement, values) for statement, values in ran if "UPDATE" in statement.split()[0]]
    read = [
        statement for statement, _ in ran if statement.startswith("SELECT") and "advisory_xact_lock" not in statement
    ]
    assert len(updates) == 1 and not read
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"{explain} {updates[0][0]}", updates[0][1]).all())
    assert f"ix_{model.__tablename__}_turn" in plan, plan
    assert "TEMP B-TREE" not in plan and "Sort" not in plan, plan


def test_many_rows_get_the_places_that_they_would_get_one_by_one(engine: Engine) -> None:
    for number in range(3):
        queue(engine, f"a{number}", "a", cost=3 * COST)
    with reading(engine) as session:
        together = turns.places(session, Dataset, "a", 5, 2, cost=3 * COST)
        with pytest.raises(QueueFull) as full:
            turns.places(session, Dataset, "a", 4, 2)
    assert full.value.waiting == 3
    one_by_one = []
    for number in range(2):
        row_id = queue(engine, f"b{number}", "a", cost=3 * COST)
        with reading(engine) as session:
            row = session.get_one(Dataset, row_id)
            one_by_one.append((row.turn_from, row.turn))
    assert [(place.turn_from, place.turn) for place in together] == one_by_one
