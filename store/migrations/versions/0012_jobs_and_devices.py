"""Notes and the Few accuracy of jobs, where they start and are evaluated; devices of workers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
FOREIGN_KEYS = {"start_checkpoint_id": "checkpoints", "evaluation_dataset_id": "datasets"}
COLUMNS = ("notes", "few", "start_from", *FOREIGN_KEYS)

JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("accuracy", sa.Double), sa.column("few", sa.Double))
EVALUATIONS = sa.table(
    "evaluations",
    *(sa.column(name, sa.String) for name in ("id", "job_id")),
    *(sa.column("accuracy", sa.Double), sa.column("group_accuracy", JSON)),
    *(sa.column("epoch", sa.Integer), sa.column("created_at", sa.DateTime(timezone=True))),
)


def upgrade() -> None:
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("devices", JSON, nullable=True))
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("notes", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("few", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("start_from", JSON, nullable=True))
        for name, table in FOREIGN_KEYS.items():
            batch_op.add_column(sa.Column(name, sa.String(), nullable=True))
            batch_op.create_foreign_key(batch_op.f(_constraint(name)), table, [name], ["id"])
            batch_op.create_index(batch_op.f(f"ix_jobs_{name}"), [name], unique=False)
    _fill_in_few()


def _fill_in_few() -> None:
    """The Few accuracy of the evaluation whose accuracy a job shows; of the latest of several."""
    connection = op.get_bind()
    shown = (
        sa.select(EVALUATIONS.c.job_id, EVALUATIONS.c.group_accuracy)
        .join(JOBS, sa.and_(JOBS.c.id == EVALUATIONS.c.job_id, JOBS.c.accuracy == EVALUATIONS.c.accuracy))
        .order_by(EVALUATIONS.c.epoch, EVALUATIONS.c.created_at, EVALUATIONS.c.id)
    )
    found = {row.job_id: row.group_accuracy["few"] for row in connection.execute(shown) if _has_few(row.group_accuracy)}
    for job_id, few in found.items():
        connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(few=few))


def _has_few(group_accuracy: object) -> bool:
    return isinstance(group_accuracy, dict) and group_accuracy.get("few") is not None


def _constraint(name: str) -> str:
    return f"fk_jobs_{name}_{FOREIGN_KEYS[name]}"


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        for name in FOREIGN_KEYS:
            batch_op.drop_index(batch_op.f(f"ix_jobs_{name}"))
            batch_op.drop_constraint(batch_op.f(_constraint(name)), type_="foreignkey")
        for name in COLUMNS:
            batch_op.drop_column(name)
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_column("devices")
