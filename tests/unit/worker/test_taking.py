"""What a worker takes next from a lane."""

from __future__ import annotations

from itertools import pairwise

from sqlalchemy import Engine

from store.bells import Bell
from store.database import writing
from store.models import OodPool
from tests.support.rows import add_dataset
from worker.app import take_next


def test_kinds_of_a_lane_take_turns(configured: Engine) -> None:
    for number in range(3):
        add_dataset(configured, name=f"data set {number}")
        with writing() as session:
            session.add(OodPool(name=f"pool {number}", spec={}, is_large=number == 2))
    leases = []
    while (lease := take_next(Bell.PREPARE, "w", small_only=True)) is not None:
        leases.append(lease.model.noun)
    assert sorted(leases) == ["dataset"] * 3 + ["ood_pool"] * 2
    assert all(first != second for first, second in pairwise(leases))
    large = take_next(Bell.PREPARE, "w", small_only=False)
    assert large is not None and large.model is OodPool
    assert take_next(Bell.PREPARE, "w", small_only=False) is None
