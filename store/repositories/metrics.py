"""Curves of a job, downsampled to as many points as can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Table, func, literal, select
from sqlalchemy.orm import Session, aliased

from store.models import Metric
from store.repositories import curve_buckets
from store.repositories.curve_buckets import Extent

Series = tuple[list[int], list[float]]  # steps, values
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
_BLOCK = 10_000


def names(session: Session, job_id: str) -> list[str]:
    """The names of a job's curves. Each costs one look into the index, however long it is."""
    first = select(func.min(Metric.name).label("name")).where(Metric.job_id == job_id)
    found = first.cte("names", recursive=True)
    later = aliased(Metric)
    following = select(func.min(later.name)).where(later.job_id == job_id, later.name > found.c.name)
    found = found.union_all(select(following.scalar_subquery()).where(found.c.name.is_not(None)))
    return list(session.scalars(select(found.c.name).where(found.c.name.is_not(None))))


def points_after(session: Session, job_id: str, name: str, step: int, most: int) -> list[tuple[int, float]]:
    """The next points of a curve, as (step, value): at most so many after a step."""
    later = select(Metric.step, Metric.value).where(Metric.job_id == job_id, Metric.name == name, Metric.step > step)
    return [(row.step, row.value) for row in session.execute(later.order_by(Metric.step).limit(most))]


def series(
    session: Session, job_id: str, wanted: Sequence[str], max_points: int, after_step: int = -1
) -> dict[str, Series]:
    """Curves by name, each of at most `max_points` points (at least 4).

    A longer curve is divided along its steps into buckets of equal width. The lowest and the
    highest point of each bucket are kept, so no peak is lost. The first and last point are also
    kept. Of a much longer one, the buckets are made of those of its downsampled copy. Their widths
    then differ by one bucket of the copy at most.

    Args:
        job_id: the job.
        wanted: which curves; empty for all.
        max_points: the most points of a curve.
        after_step: only points of later steps. A curve without one is left out.
    """
    extents = {} if after_step >= 0 else curve_buckets.extents(session, job_id, wanted)
    curves = {}
    for name in wanted or names(session, job_id):
        steps, values = _points(session, job_id, name, extents.get(name), max_points, after_step)
        if len(steps):
            curves[name] = (steps.tolist(), values.tolist())
    return curves


def _points(
    session: Session, job_id: str, name: str, extent: Extent | None, max_points: int, after_step: int
) -> tuple[Int64, Float64]:
    """(n,) steps and values of one curve, downsampled."""
    buckets = (max_points - 2) // 2
    # A short curve is read as it is. Its copy could be of points that were replaced.
    width = None if extent is None or extent.points <= max_points else extent.widest(buckets)
    if width is None:
        steps, values = _all_points(session, job_id, name, after_step)
        if len(steps) <= max_points:
            return steps, values
        return _extremes(steps, values, _divided(steps, buckets))
    found = curve_buckets.buckets(session, job_id, name, width)
    of_each = _divided(found["bucket"], buckets)
    step = [found["low_step"], found["high_step"], found["first_step"][:1], found["last_step"][-1:]]
    value = [found["low"], found["high"], found["first"][:1], found["last"][-1:]]
    parts = np.concatenate([of_each, of_each, of_each[[0, -1]]])
    return _extremes(np.concatenate(step), np.concatenate(value), parts)


def _all_points(session: Session, job_id: str, name: str, after_step: int) -> tuple[Int64, Float64]:
    points = cast("Table", Metric.__table__).c  # of the class, rows take several times as long
    mine = select(points.step, points.value).where(points.job_id == job_id, points.name == name)
    if after_step >= 0:
        mine = mine.where(points.step > literal(after_step, BigInteger))
    rows = session.execute(mine.order_by(points.step).execution_options(yield_per=_BLOCK))
    found = np.fromiter((tuple(row) for row in rows), dtype=[("step", np.int64), ("value", np.float64)])
    return found["step"], found["value"]


def _divided(places: Int64, parts: int) -> Int64:
    """(n,) the number of the part in which each of the ascending places lies."""
    part: Int64 = (places - places[0]) * parts // (places[-1] - places[0] + 1)
    return part


def _extremes(steps: Int64, values: Float64, part: Int64) -> tuple[Int64, Float64]:
    """The lowest and the highest point of each part, the first and the last: ascending, each once.

    Of points that are as low, the earliest is kept; of those that are as high, the latest.
    """
    order = np.lexsort((steps, values, part))
    begins = np.flatnonzero(np.diff(part[order], prepend=-1))
    ends = np.append(begins[1:], len(order)) - 1
    kept = np.concatenate([order[begins], order[ends], [np.argmin(steps), np.argmax(steps)]])
    shown, where = np.unique(steps[kept], return_index=True)
    return shown, values[kept][where]
