"""Std of the evaluation that a job shows"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

JOBS = sa.table("jobs", *(sa.column(name, sa.Double) for name in ("accuracy", "std")), sa.column("id", sa.String))
EVALUATIONS = sa.table(
    "evaluations",
    *(sa.column(name, sa.String) for name in ("id", "job_id")),
    *(sa.column(name, sa.Double) for name in ("accuracy", "group_std")),
    *(sa.column("epoch", sa.Integer), sa.column("created_at", sa.DateTime(timezone=True))),
)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("std", sa.Double(), nullable=True))
    connection = op.get_bind()
    # Of several evaluations with the accuracy that a job shows, the latest: as 0012 took its Few.
    shown = (
        sa.select(EVALUATIONS.c.job_id, EVALUATIONS.c.group_std)
        .join(JOBS, sa.and_(JOBS.c.id == EVALUATIONS.c.job_id, JOBS.c.accuracy == EVALUATIONS.c.accuracy))
        .where(EVALUATIONS.c.group_std.is_not(None))
        .order_by(EVALUATIONS.c.epoch, EVALUATIONS.c.created_at, EVALUATIONS.c.id)
    )
    found = {row.job_id: row.group_std for row in connection.execute(shown)}
    for job_id, std in found.items():
        connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(std=std))


def downgrade() -> None:
    op.drop_column("jobs", "std")
