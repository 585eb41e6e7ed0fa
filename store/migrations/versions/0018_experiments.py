"""Experiments, their arms, and the jobs that are their runs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=True),
        sa.Column("dataset_ids", JSON, nullable=False),
        sa.Column("ood_pool_id", sa.String(), nullable=True),
        sa.Column("seeds", JSON, nullable=False),
        sa.Column("evaluations", JSON, nullable=False),
        sa.Column("baseline", sa.String(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("request_sha256", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_experiments_idempotency_key")),
    )
    op.create_index("ix_experiments_created_at", "experiments", ["created_at", "id"], unique=False)
    op.create_table(
        "experiment_arms",
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("config", JSON, nullable=True),
        sa.Column("backbone_id", sa.String(), nullable=True),
        sa.Column("ood_pool_id", sa.String(), nullable=True),
        sa.Column("train_on", JSON, nullable=True),
        sa.CheckConstraint(
            "(config IS NULL) = (backbone_id IS NOT NULL)", name=op.f("ck_experiment_arms_of_config_or_backbone")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("fk_experiment_arms_experiment_id_experiments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "position", name=op.f("pk_experiment_arms")),
    )
    op.create_table(
        "experiment_runs",
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("fk_experiment_runs_experiment_id_experiments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_experiment_runs_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "arm", "dataset_id", "seed", name=op.f("pk_experiment_runs")),
    )
    op.create_index(op.f("ix_experiment_runs_job_id"), "experiment_runs", ["job_id"], unique=False)


def downgrade() -> None:
    op.drop_table("experiment_runs")
    op.drop_table("experiment_arms")
    op.drop_table("experiments")
