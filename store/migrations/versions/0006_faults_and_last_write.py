"""faults and last write"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LEASED = ("jobs", "datasets", "ood_pools", "evaluations", "analyses")


def upgrade() -> None:
    for table in LEASED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("faults", sa.Integer(), server_default="0", nullable=False))
            if table == "jobs":
                batch_op.add_column(sa.Column("last_write", sa.String(), nullable=True))


def downgrade() -> None:
    for table in reversed(LEASED):
        with op.batch_alter_table(table, schema=None) as batch_op:
            if table == "jobs":
                batch_op.drop_column("last_write")
            batch_op.drop_column("faults")
