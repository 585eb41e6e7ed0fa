"""Analyses of backbones"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OF_CHECKPOINT: dict[str, type[sa.String] | type[sa.Integer]] = {
    "job_id": sa.String,
    "checkpoint_id": sa.String,
    "epoch": sa.Integer,
}
OF_BACKBONE = {"backbone_id": "backbones", "dataset_id": "datasets"}
CHECK = "ck_analyses_of_checkpoint_or_backbone"
WITHOUT_CHECKPOINT = {"job_id": "NULL", "epoch": "NULL", "backbone_id": "NOT NULL", "dataset_id": "NOT NULL"}


def upgrade() -> None:
    with op.batch_alter_table("analyses", schema=None) as batch_op:
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=True)
        for name, table in OF_BACKBONE.items():
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
            batch_op.create_foreign_key(batch_op.f(f"fk_analyses_{name}_{table}"), table, [name], ["id"])
            batch_op.create_index(batch_op.f(f"ix_analyses_{name}"), [name], unique=False)
        batch_op.add_column(sa.Column("assumed", JSON, nullable=True))
        batch_op.create_check_constraint(
            batch_op.f(CHECK),
            " AND ".join(f"(checkpoint_id IS NULL) = ({name} IS {null})" for name, null in WITHOUT_CHECKPOINT.items()),
        )


def downgrade() -> None:
    op.execute("DELETE FROM analyses WHERE backbone_id IS NOT NULL")
    with op.batch_alter_table("analyses", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(CHECK), type_="check")
        batch_op.drop_column("assumed")
        for name, table in OF_BACKBONE.items():
            batch_op.drop_index(batch_op.f(f"ix_analyses_{name}"))
            batch_op.drop_constraint(batch_op.f(f"fk_analyses_{name}_{table}"), type_="foreignkey")
            batch_op.drop_column(name)
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=False)
