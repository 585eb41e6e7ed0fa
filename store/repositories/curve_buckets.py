"""Downsampled copies of curves: extremes of buckets of several widths, written with the points.

A curve of any length is drawn from at most some thousand buckets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Insert, Table, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.models import CurveBucket, Metric

WIDTHS = tuple(16 * 8**level for level in range(6))  # in steps; the last gives 4096 buckets at most
_ENDS = ("first", "last", "low", "high")
_FIELDS: dict[str, type] = {
    "bucket": np.int64,
    **{f"{end}_step": np.int64 for end in _ENDS},
    **dict.fromkeys(_ENDS, np.float64),
}
_Bucket = Mapping[str, Any]  # columns of a row


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a curve is."""

    points: int
    first_step: int
    last_step: int

    def widest(self, at_least: int) -> int | None:
        """The largest width at which the curve has about `at_least` buckets; None if shorter."""
        for width in reversed(WIDTHS):
            if min(self.points, self.last_step // width - self.first_step // width + 1) >= at_least:
                return int(width)
        return None


def add(session: Session, job_id: str, points: Iterable[tuple[str, int, float]]) -> None:
    """Add points (name, step, value) that come after all earlier ones of their curves."""
    curves: defaultdict[str, list[_Bucket]] = defaultdict(list)
    for name, step, value in points:
        curves[name].append(_of_point(step, value))
    rows: list[dict[str, Any]] = []
    for name, parts in curves.items():
        for width in WIDTHS:
            parts = _wider(parts, width)
            rows += ({**bucket, "job_id": job_id, "width": width, "name": name} for bucket in parts)
    _store(session, rows)


def discard_after(session: Session, job_id: str, step: int) -> None:
    """Drop what lies behind `step`, whose points have been dropped already."""
    for narrower, width in pairwise((1, *WIDTHS)):
        begin = step // width * width  # of the bucket with the step, which is made again
        mine = CurveBucket.job_id == job_id
        gone = delete(CurveBucket).where(mine, CurveBucket.width == width, CurveBucket.bucket >= step // width)
        session.execute(gone.execution_options(synchronize_session=False))
        curves: defaultdict[str, list[_Bucket]] = defaultdict(list)
        if narrower == 1:
            points = select(Metric.name, Metric.step, Metric.value).where(Metric.job_id == job_id, Metric.step >= begin)
            for point in session.execute(points.order_by(Metric.name, Metric.step)):
                curves[point.name].append(_of_point(point.step, point.value))
        else:
            parts = select(*_columns()).where(mine, CurveBucket.width == narrower)
            parts = parts.where(CurveBucket.bucket >= begin // narrower)
            for part in session.execute(parts.order_by(CurveBucket.name, CurveBucket.bucket)):
                curves[part.name].append(part._asdict())
        of_width = {"job_id": job_id, "width": width}
        rows = ({**b, **of_width, "name": name} for name, found in curves.items() for b in _wider(found, width))
        _store(session, list(rows))


def extents(session: Session, job_id: str, names: Sequence[str]) -> dict[str, Extent]:
    """The extents of the curves that have a downsampled copy. `names` empty: of all."""
    found = select(
        CurveBucket.name,
        func.sum(CurveBucket.points).label("points"),
        func.min(CurveBucket.first_step).label("first"),
        func.max(CurveBucket.last_step).label("last"),
    ).where(CurveBucket.job_id == job_id, CurveBucket.width == WIDTHS[-1])
    if names:
        found = found.where(CurveBucket.name.in_(names))
    rows = session.execute(found.group_by(CurveBucket.name))
    return {row.name: Extent(int(row.points), row.first, row.last) for row in rows}


def buckets(session: Session, job_id: str, name: str, width: int) -> NDArray[Any]:
    """(n,), the buckets of a curve in order. Its fields are `_FIELDS`."""
    columns = cast("Table", CurveBucket.__table__).c  # of the class, rows take several times as long
    mine = (columns.job_id == job_id, columns.width == width, columns.name == name)
    wanted = [columns[field] for field in _FIELDS]
    rows = session.connection().execute(select(*wanted).where(*mine).order_by(columns.bucket))
    return np.array([tuple(row) for row in rows], dtype=list(_FIELDS.items()))


def _columns() -> list[Any]:
    steps = (getattr(CurveBucket, f"{end}_step") for end in _ENDS)
    return [CurveBucket.name, CurveBucket.bucket, CurveBucket.points, *steps, *(getattr(CurveBucket, e) for e in _ENDS)]


def _of_point(step: int, value: float) -> _Bucket:
    return {"points": 1, **dict.fromkeys(_ENDS, value), **{f"{end}_step": step for end in _ENDS}}


def _wider(parts: Iterable[_Bucket], width: int) -> list[_Bucket]:
    """Buckets of `width`, made of narrower ones of one curve, which come in order."""
    by_bucket = groupby(parts, key=lambda part: part["first_step"] // width)
    return [{"bucket": bucket, **_together(list(narrower))} for bucket, narrower in by_bucket]


def _together(parts: Sequence[_Bucket]) -> dict[str, Any]:
    of = {
        "first": parts[0],
        "last": parts[-1],
        "low": min(parts, key=lambda part: (part["low"], part["low_step"])),
        "high": max(parts, key=lambda part: (part["high"], part["high_step"])),
    }
    ends = {key: part[key] for end, part in of.items() for key in (end, f"{end}_step")}
    return {"points": sum(part["points"] for part in parts), **ends}


def _store(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write buckets. Where there is one already, put both together."""
    if rows:
        session.execute(_upsert(session.get_bind().dialect.name == "postgresql"), rows)


@cache
def _upsert(is_postgres: bool) -> Insert:
    table = CurveBucket.__table__
    assert isinstance(table, Table)
    statement = postgresql.insert(table) if is_postgres else sqlite.insert(table)
    old, new = table.c, statement.excluded
    lower, higher = new.low < old.low, new.high >= old.high
    together = {
        "points": old.points + new.points,
        "last_step": new.last_step,
        "last": new.last,
        **{key: case((lower, new[key]), else_=old[key]) for key in ("low_step", "low")},
        **{key: case((higher, new[key]), else_=old[key]) for key in ("high_step", "high")},
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=together)
