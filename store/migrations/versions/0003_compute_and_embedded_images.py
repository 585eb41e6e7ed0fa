"""compute and embedded images"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("compute", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )

    with op.batch_alter_table("sampling_rounds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("num_embedded", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sampling_rounds", schema=None) as batch_op:
        batch_op.drop_column("num_embedded")

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("compute")
