"""What a probe was fitted on, warnings of evaluations, probe images by class.

Earlier versions computed the deviation of the groups that they had, which is 0 for a single one. It
is null now unless all three are known.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ADDED = {"evaluations": ("probe", "warnings"), "datasets": ("probe_counts",)}
EVALUATIONS = sa.table(
    "evaluations", sa.column("id", sa.String), sa.column("group_accuracy", JSON), sa.column("group_std", sa.Double)
)


def upgrade() -> None:
    for table, names in ADDED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for name in names:
                batch_op.add_column(sa.Column(name, JSON, nullable=True))
    connection = op.get_bind()
    known = sa.select(EVALUATIONS.c.id, EVALUATIONS.c.group_accuracy).where(EVALUATIONS.c.group_std.is_not(None))
    for row in connection.execute(known).all():
        groups = row.group_accuracy if isinstance(row.group_accuracy, dict) else {}
        if any(groups.get(name) is None for name in ("many", "medium", "few")):
            connection.execute(sa.update(EVALUATIONS).where(EVALUATIONS.c.id == row.id).values(group_std=None))


def downgrade() -> None:
    for table, names in ADDED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for name in names:
                batch_op.drop_column(name)
