"""Jobs of equal beginnings, of which one trains it for all"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

COLUMNS = ("beginning", "beginning_checkpoint_id", "beginning_job_id")
INDEXED = ("beginning", "beginning_checkpoint_id")
FOREIGN_KEY = "fk_jobs_beginning_checkpoint_id_checkpoints"


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        for name in COLUMNS:
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
        for name in INDEXED:
            batch_op.create_index(batch_op.f(f"ix_jobs_{name}"), [name], unique=False)
        batch_op.create_foreign_key(batch_op.f(FOREIGN_KEY), "checkpoints", ["beginning_checkpoint_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(FOREIGN_KEY), type_="foreignkey")
        for name in INDEXED:
            batch_op.drop_index(batch_op.f(f"ix_jobs_{name}"))
        for name in COLUMNS:
            batch_op.drop_column(name)
