"""Scores of the pool in files"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLE, ROUNDS, KEY = "round_scores", "sampling_rounds", ("job_id", "round")
# Of these Postgres then reads a few bytes without the rest, in values written from now on.
READ_IN_PARTS = {ROUNDS: ("nearest", "nearest_similarity"), "tailness_epochs": ("scores",)}


def upgrade() -> None:
    # The arrays of earlier rounds stay where they are: they may be gigabytes.
    op.create_table(
        TABLE,
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("picks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            KEY, [f"{ROUNDS}.{name}" for name in KEY], name=op.f(f"fk_{TABLE}_job_id_{ROUNDS}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*KEY, name=op.f(f"pk_{TABLE}")),
    )
    _store("EXTERNAL")


def downgrade() -> None:
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(sa.table(TABLE))):
        raise RuntimeError("sampling rounds have their scores in files, which revision 0026 cannot read")
    _store("EXTENDED")
    op.drop_table(TABLE)


def _store(storage: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in READ_IN_PARTS.items():
            for column in columns:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {storage}")
