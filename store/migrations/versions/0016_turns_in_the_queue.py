"""Who submitted waiting work, and when its turn comes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = ("datasets", "ood_pools", "jobs", "evaluations", "analyses")
INDEXES = {
    "turn": ["status", "turn", "created_at", "id"],
    "submitter": ["submitter", "status"],
    "line": ["submitter", "is_large", "turn"],
}
REGISTERED = ("datasets", "ood_pools")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("submitter", sa.String(), nullable=True))
            batch_op.add_column(sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"))
            batch_op.add_column(sa.Column("turn_from", sa.BigInteger(), nullable=False, server_default="0"))
            batch_op.add_column(sa.Column("is_large", sa.Boolean(), nullable=False, server_default=sa.false()))
            if table in REGISTERED:
                batch_op.add_column(sa.Column("request_sha256", sa.String(), nullable=True))
            batch_op.drop_index(f"ix_{table}_status")
        for name, columns in INDEXES.items():
            op.create_index(f"ix_{table}_{name}", table, columns, unique=False)
        began = sa.text("attempts > 0")
        op.create_index(
            f"ix_{table}_began", table, ["turn_from"], unique=False, sqlite_where=began, postgresql_where=began
        )


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            for name in (*INDEXES, "began"):
                batch_op.drop_index(f"ix_{table}_{name}")
            batch_op.create_index(f"ix_{table}_status", ["status"], unique=False)
            for name in ("is_large", "turn_from", "turn", "submitter"):
                batch_op.drop_column(name)
            if table in REGISTERED:
                batch_op.drop_column("request_sha256")
