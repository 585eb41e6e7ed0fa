"""layout and warnings of data, warnings of jobs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    for table in ("datasets", "ood_pools"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("layout", sa.String(), nullable=True))
            batch_op.add_column(sa.Column("warnings", JSON, nullable=True))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("warnings", JSON, nullable=True))


def downgrade() -> None:
    for table in ("jobs", "ood_pools", "datasets"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("warnings")
            if table != "jobs":
                batch_op.drop_column("layout")
