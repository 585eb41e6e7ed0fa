"""Downsampled copies of curves: what they keep, and what becomes of them with a lost attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from store.database import reading, writing
from store.models import CurveBucket, Job, Metric
from store.repositories import curve_buckets, metrics, profile, recording
from tests.support.rows import add_dataset, add_job

STEPS = np.arange(1, 30_001)


@pytest.fixture
def job(engine: Engine) -> Job:
    return add_job(engine, add_dataset(engine))


def record(engine: Engine, job: Job, name: str, steps: Any, values: Any, at_once: int = 997) -> None:
    """As a run does: some at a time."""
    points = [(name, int(step), float(value)) for step, value in zip(steps, values, strict=True)]
    with writing(engine) as session:
        for start in range(0, len(points), at_once):
            recording.add_metrics(session, job.id, points[start : start + at_once])


def series(engine: Engine, job: Job, max_points: int, *names: str) -> dict[str, metrics.Series]:
    with reading(engine) as session:
        return metrics.series(session, job.id, names, max_points)


def buckets(engine: Engine, job: Job) -> list[Any]:
    columns = [column for column in CurveBucket.__table__.columns if column.key != "job_id"]
    rows = select(*columns).where(CurveBucket.job_id == job.id)
    with reading(engine) as session:
        return list(session.execute(rows.order_by(CurveBucket.name, CurveBucket.width, CurveBucket.bucket)))


def shapes() -> Iterator[tuple[str, Any, Any]]:
    random = np.random.default_rng(0)
    yield "noise", STEPS, random.normal(size=len(STEPS))
    yield "levels", STEPS, random.integers(3, size=len(STEPS))
    yield "epochs", STEPS[::37], random.normal(size=len(STEPS[::37]))
    yield "late", STEPS[20_000:], random.normal(size=10_000)


def test_a_long_curve_keeps_its_ends_and_its_extremes(engine: Engine, job: Job) -> None:
    made = {name: (steps, values) for name, steps, values in shapes()}
    for name, (steps, values) in made.items():
        record(engine, job, name, steps, values)
    for max_points in (4, 5, 100, 3_000):
        found = series(engine, job, max_points)
        assert set(found) == set(made)
        for name, (steps, values) in made.items():
            kept, heights = np.array(found[name][0]), np.array(found[name][1])
            assert len(kept) <= max_points
            assert (np.diff(kept) > 0).all()
            np.testing.assert_array_equal(heights, values[np.searchsorted(steps, kept)])  # points of the curve
            assert (kept[0], kept[-1]) == (steps[0], steps[-1])
            assert (heights.min(), heights.max()) == (values.min(), values.max())


def test_each_part_of_a_long_curve_shows_its_own_peak(engine: Engine, job: Job) -> None:
    peaks = STEPS[::1_000]
    record(engine, job, "loss", STEPS, np.isin(STEPS, peaks))
    (steps, values) = series(engine, job, 200)["loss"]
    assert {step for step, value in zip(steps, values, strict=True) if value} == set(peaks.tolist())
    assert len(steps) > 100  # and the curve is not reduced to them


def test_a_short_curve_is_given_whole(engine: Engine, job: Job) -> None:
    record(engine, job, "loss", STEPS[:500], STEPS[:500])
    assert series(engine, job, 500)["loss"] == (STEPS[:500].tolist(), STEPS[:500].tolist())
    assert series(engine, job, 4, "nothing") == {}


def test_a_point_that_is_replaced_has_its_last_value(engine: Engine, job: Job) -> None:
    for seconds in (1.0, 2.0):
        with writing(engine) as session:
            session.merge(profile.evaluation_point(job.id, 7, seconds))
    assert series(engine, job, 4) == {"evaluation_seconds": ([7], [2.0])}


@pytest.mark.parametrize("step", [0, 15, 16, 1_024, 12_345, 30_000])
def test_after_a_discarded_attempt_the_copy_is_that_of_what_is_left(engine: Engine, job: Job, step: int) -> None:
    other = add_job(engine, add_dataset(engine))
    for name, steps, values in shapes():
        record(engine, job, name, steps, values, at_once=30_000)
        record(engine, other, name, steps[steps <= step], values[steps <= step])
    with writing(engine) as session:
        recording.discard_after(session, job.id, epoch=0, step=step, rounds=0)
    assert buckets(engine, job) == buckets(engine, other)


def test_what_is_read_of_a_long_curve_does_not_grow_with_it(engine: Engine, job: Job) -> None:
    record(engine, job, "loss", STEPS, STEPS, at_once=30_000)
    with reading(engine) as session:
        extent = curve_buckets.extents(session, job.id, [])["loss"]
        width = extent.widest(50)
        assert width is not None
        assert 50 <= len(curve_buckets.buckets(session, job.id, "loss", width)) < 50 * 8 + 8
    assert curve_buckets.Extent(2**31 - 1, 1, 2**31 - 1).widest(4_000) == curve_buckets.WIDTHS[-1]


def test_a_curve_without_a_copy_is_read_from_its_points(engine: Engine, job: Job) -> None:
    with writing(engine) as session:
        session.add_all(Metric(job_id=job.id, name="loss", step=step, value=-step) for step in range(1, 1_001))
    steps, values = series(engine, job, 10)["loss"]
    assert (steps[0], steps[-1], len(steps)) == (1, 1_000, 8)  # the ends are extremes too
    assert (values[0], values[-1]) == (-1, -1_000)
