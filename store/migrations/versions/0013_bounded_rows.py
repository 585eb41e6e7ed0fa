"""Indices beside the rows of data sets, downsampled copies of curves, keys of the service"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
DATASETS = sa.table("datasets", sa.column("id", sa.String), sa.column("spec", JSON), sa.column("indices", sa.Text))
METRICS = sa.table(
    "metrics",
    *(sa.column("job_id", sa.String), sa.column("name", sa.String)),
    *(sa.column("step", sa.Integer), sa.column("value", sa.Double)),
)
# As store/repositories/curve_buckets.py has them.
WIDTHS = [16 * 8**level for level in range(6)]
BLOCK = 10_000


def upgrade() -> None:
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("indices", sa.Text(), nullable=True))
    keys = op.create_table(
        "service_keys",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_keys")),
    )
    buckets = op.create_table(
        "curve_buckets",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        *(sa.Column(f"{which}_step", sa.Integer(), nullable=False) for which in ("first", "last", "low", "high")),
        *(sa.Column(which, sa.Double(), nullable=False) for which in ("first", "last", "low", "high")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_curve_buckets_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "width", "name", "bucket", name=op.f("pk_curve_buckets")),
    )
    op.get_bind().execute(sa.insert(keys).values(name="cursors", value=secrets.token_hex(32)))
    _move_indices()
    _thin_curves(buckets)


def _move_indices() -> None:
    """Put the indices of each request beside it, one a line; their number and digest stay in it."""
    connection = op.get_bind()
    for row_id in connection.scalars(sa.select(DATASETS.c.id)).all():
        spec: Any = connection.scalar(sa.select(DATASETS.c.spec).where(DATASETS.c.id == row_id))
        long_tail = spec.get("long_tail") if isinstance(spec, dict) else None
        if not isinstance(long_tail, dict) or not isinstance(indices := long_tail.get("indices"), list):
            continue
        text = "".join(f"{index}\n" for index in indices)
        told = {"count": len(indices), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        changed = {**spec, "long_tail": {**long_tail, "indices": told}}
        connection.execute(sa.update(DATASETS).where(DATASETS.c.id == row_id).values(spec=changed, indices=text))


def _thin_curves(buckets: sa.Table) -> None:
    """A downsampled copy of every curve, one curve at a time."""
    connection = op.get_bind()
    for job_id in connection.scalars(sa.select(METRICS.c.job_id).distinct()).all():
        mine = sa.select(METRICS.c.name, METRICS.c.step, METRICS.c.value).where(METRICS.c.job_id == job_id)
        points = connection.execute(mine.order_by(METRICS.c.name, METRICS.c.step).execution_options(yield_per=BLOCK))
        for name, curve in groupby(points, key=lambda row: row.name):
            narrower: Iterable[dict[str, Any]] = (_of_point(row.step, row.value) for row in curve)
            for width in WIDTHS:
                narrower = [_together(width, bucket, list(parts)) for bucket, parts in _by_bucket(narrower, width)]
                of_curve = {"job_id": job_id, "name": name}
                connection.execute(sa.insert(buckets), [of_curve | found for found in narrower])


def _of_point(step: int, value: float) -> dict[str, Any]:
    steps = {f"{which}_step": step for which in ("first", "last", "low", "high")}
    return {"points": 1, **steps, **dict.fromkeys(("first", "last", "low", "high"), value)}


def _by_bucket(parts: Iterable[dict[str, Any]], width: int) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    return groupby(parts, key=lambda part: part["first_step"] // width)


def _together(width: int, bucket: int, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One bucket of narrower ones, which come by step."""
    of = {
        "first": parts[0],
        "last": parts[-1],
        "low": min(parts, key=lambda part: (part["low"], part["low_step"])),
        "high": max(parts, key=lambda part: (part["high"], part["high_step"])),
    }
    return {
        "width": width,
        "bucket": bucket,
        "points": sum(part["points"] for part in parts),
        **{key: part[key] for which, part in of.items() for key in (which, f"{which}_step")},
    }


def downgrade() -> None:
    op.drop_table("curve_buckets")
    op.drop_table("service_keys")
    connection = op.get_bind()
    moved = sa.select(DATASETS.c.id, DATASETS.c.spec, DATASETS.c.indices).where(DATASETS.c.indices.is_not(None))
    for row_id, spec, indices in connection.execute(moved).all():
        long_tail = {**spec["long_tail"], "indices": [int(line) for line in indices.split()]}
        connection.execute(
            sa.update(DATASETS).where(DATASETS.c.id == row_id).values(spec={**spec, "long_tail": long_tail})
        )
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.drop_column("indices")
