"""Curves of a job, downsampled in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, cast, func, or_, select
from sqlalchemy.orm import Session

from store.models import Metric

Series = tuple[list[int], list[float]]  # steps, values


def series(session: Session, job_id: str, names: Sequence[str], max_points: int) -> dict[str, Series]:
    """Curves by name, each of at most `max_points` points (at least 4).

    A longer curve is divided along its steps into buckets of equal width. The lowest and the
    highest point of each bucket are kept, so no peak is lost. The first and last point are also
    kept.

    Args:
        job_id: the job.
        names: which curves; empty for all.
        max_points: the most points of a curve.
    """
    mine = select(Metric).where(Metric.job_id == job_id)
    if names:
        mine = mine.where(Metric.name.in_(names))
    points = mine.subquery()
    extents = (
        select(
            points.c.name,
            func.count().label("points"),
            func.min(points.c.step).label("first"),
            func.max(points.c.step).label("last"),
        )
        .group_by(points.c.name)
        .subquery()
    )
    buckets = (max_points - 2) // 2
    # BigInteger: a long curve's steps times its buckets overflow Postgres' integer.
    offset = cast(points.c.step - extents.c.first, BigInteger)
    bucket = offset * buckets // (extents.c.last - extents.c.first + 1)
    # One window for both, so that the database sorts once. Each bucket begins with its lowest point
    # and ends with its highest.
    bucket_of_curve, by_value = (points.c.name, bucket), (points.c.value, points.c.step)
    ranked = (
        select(
            points.c.name,
            points.c.step,
            points.c.value,
            extents.c.points,
            extents.c.first,
            extents.c.last,
            func.row_number().over(partition_by=bucket_of_curve, order_by=by_value).label("rank"),
            func.lead(points.c.step).over(partition_by=bucket_of_curve, order_by=by_value).label("next_step"),
        )
        .join(extents, extents.c.name == points.c.name)
        .subquery()
    )
    kept = or_(
        ranked.c.points <= max_points,
        ranked.c.step == ranked.c.first,
        ranked.c.step == ranked.c.last,
        ranked.c.rank == 1,
        ranked.c.next_step.is_(None),
    )
    rows = session.execute(
        select(ranked.c.name, ranked.c.step, ranked.c.value).where(kept).order_by(ranked.c.name, ranked.c.step)
    )
    curves: dict[str, Series] = {}
    for name, step, value in rows:
        steps, values = curves.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)
    return curves
