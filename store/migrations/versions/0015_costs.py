"""Estimates of jobs, what they are measured by, and devices that workers have reported"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "known_devices",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("devices", JSON, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_known_devices")),
    )
    op.create_table(
        "measured_activations",
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("per_view", sa.Double(), nullable=False),
        sa.Column("fixed", sa.Double(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("encoder", name=op.f("pk_measured_activations")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("estimate", JSON, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("estimate")
    op.drop_table("measured_activations")
    op.drop_table("known_devices")
