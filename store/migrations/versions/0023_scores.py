"""Scores of unseen images"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE = "scores"
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
REFERRED = {"job_id": "jobs", "checkpoint_id": "checkpoints"}
INDEXES = {
    "turn": ["status", "turn", "created_at", "id"],
    "submitter": ["submitter", "status"],
    "line": ["submitter", "is_large", "turn"],
}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in REFERRED),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("config", JSON, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("upload_removed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("scores", JSON, nullable=True),
        sa.Column("refused", JSON, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("worker_id", sa.String(), nullable=True),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitter", sa.String(), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("turn_from", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("is_large", sa.Boolean(), nullable=False, server_default=sa.false()),
        *(
            sa.ForeignKeyConstraint(
                [name], [f"{table}.id"], name=op.f(f"fk_{TABLE}_{name}_{table}"), ondelete="CASCADE"
            )
            for name, table in REFERRED.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
    )
    for name in (*REFERRED, "upload_id"):
        op.create_index(op.f(f"ix_{TABLE}_{name}"), TABLE, [name], unique=False)
    for name, columns in INDEXES.items():
        op.create_index(f"ix_{TABLE}_{name}", TABLE, columns, unique=False)
    began = sa.text("attempts > 0")
    op.create_index(f"ix_{TABLE}_began", TABLE, ["turn_from"], unique=False, sqlite_where=began, postgresql_where=began)


def downgrade() -> None:
    op.drop_table(TABLE)
