"""Backbones from elsewhere; their evaluations, and jobs that begin with one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INDEXES = {
    "turn": ["status", "turn", "created_at", "id"],
    "submitter": ["submitter", "status"],
    "line": ["submitter", "is_large", "turn"],
    "created_at": ["created_at", "id"],
}
OF_CHECKPOINT: dict[str, type[sa.String] | type[sa.Integer]] = {
    "job_id": sa.String,
    "checkpoint_id": sa.String,
    "epoch": sa.Integer,
}
OF_BACKBONE = {"backbone_id": "backbones", "dataset_id": "datasets"}
CHECK = "of_checkpoint_or_backbone"
WITHOUT_CHECKPOINT = {"job_id": "NULL", "epoch": "NULL", "backbone_id": "NOT NULL", "dataset_id": "NOT NULL"}


def upgrade() -> None:
    op.create_table(
        "backbones",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("id", "name", "status")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("request_sha256", "artifact")),
        *(sa.Column(name, JSON, nullable=True) for name in ("problem", "files", "names")),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("matched_share", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False, server_default="0"),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("worker_id", "lease_token", "submitter")),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in ("turn_from", "turn")),
        sa.Column("is_large", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backbones")),
    )
    for name, columns in INDEXES.items():
        op.create_index(f"ix_backbones_{name}", "backbones", columns, unique=False)
    began = sa.text("attempts > 0")
    op.create_index("ix_backbones_began", "backbones", ["turn_from"], sqlite_where=began, postgresql_where=began)
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("start_backbone_id", sa.String(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_jobs_start_backbone_id_backbones"), "backbones", ["start_backbone_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_jobs_start_backbone_id"), ["start_backbone_id"], unique=False)
    with op.batch_alter_table("evaluations", schema=None) as batch_op:
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=True)
        for name, table in OF_BACKBONE.items():
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
            batch_op.create_foreign_key(batch_op.f(f"fk_evaluations_{name}_{table}"), table, [name], ["id"])
            batch_op.create_index(batch_op.f(f"ix_evaluations_{name}"), [name], unique=False)
        batch_op.create_check_constraint(
            batch_op.f(f"ck_evaluations_{CHECK}"),
            " AND ".join(f"(checkpoint_id IS NULL) = ({name} IS {null})" for name, null in WITHOUT_CHECKPOINT.items()),
        )


def downgrade() -> None:
    op.execute("DELETE FROM evaluations WHERE backbone_id IS NOT NULL")
    with op.batch_alter_table("evaluations", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(f"ck_evaluations_{CHECK}"), type_="check")
        for name, table in OF_BACKBONE.items():
            batch_op.drop_index(batch_op.f(f"ix_evaluations_{name}"))
            batch_op.drop_constraint(batch_op.f(f"fk_evaluations_{name}_{table}"), type_="foreignkey")
            batch_op.drop_column(name)
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=False)
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_start_backbone_id"))
        batch_op.drop_constraint(batch_op.f("fk_jobs_start_backbone_id_backbones"), type_="foreignkey")
        batch_op.drop_column("start_backbone_id")
    op.drop_table("backbones")
