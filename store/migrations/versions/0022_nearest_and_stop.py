"""Training images nearest to the picks of a round, why a round stopped, pool checks of backbones"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ROUNDS = sa.table(
    "sampling_rounds",
    *(sa.column("job_id", sa.String), sa.column("round", sa.Integer)),
    *(sa.column(name, JSON) for name in ("clusters", "stop")),
)
OF_CHECKPOINT: dict[str, type[sa.String] | type[sa.Integer]] = {
    "job_id": sa.String,
    "checkpoint_id": sa.String,
    "epoch": sa.Integer,
}
CHECK = (
    "(checkpoint_id IS NULL) = (job_id IS NULL) AND (checkpoint_id IS NULL) = (epoch IS NULL)"
    " AND (checkpoint_id IS NULL) = (backbone_id IS NOT NULL)"
)
FOREIGN_KEY = "fk_pool_checks_backbone_id_backbones"
ARRAYS = ("nearest", "nearest_similarity")
# Revision 0020 kept it among the values of the first cluster.
STOP = "stop_of_round"


def upgrade() -> None:
    with op.batch_alter_table("sampling_rounds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stop", JSON, nullable=True))
        for name in ARRAYS:
            batch_op.add_column(sa.Column(name, sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    stopped = sa.cast(ROUNDS.c.clusters, sa.Text).contains(STOP, autoescape=True)
    for key in connection.execute(sa.select(ROUNDS.c.job_id, ROUNDS.c.round).where(stopped)).all():
        clusters = _of_round(key, ROUNDS.c.clusters)
        stop = clusters[0].pop(STOP)
        connection.execute(sa.update(ROUNDS).where(_is(key)).values(clusters=clusters, stop=stop))
    with op.batch_alter_table("pool_checks", schema=None) as batch_op:
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=True)
        batch_op.add_column(sa.Column("backbone_id", sa.String(), nullable=True))
        batch_op.create_foreign_key(batch_op.f(FOREIGN_KEY), "backbones", ["backbone_id"], ["id"], ondelete="CASCADE")
        batch_op.create_index(batch_op.f("ix_pool_checks_backbone_id"), ["backbone_id"], unique=False)
        batch_op.create_check_constraint(batch_op.f("ck_pool_checks_of_checkpoint_or_backbone"), CHECK)


def downgrade() -> None:
    op.execute("DELETE FROM pool_checks WHERE backbone_id IS NOT NULL")
    with op.batch_alter_table("pool_checks", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_pool_checks_of_checkpoint_or_backbone"), type_="check")
        batch_op.drop_index(batch_op.f("ix_pool_checks_backbone_id"))
        batch_op.drop_constraint(batch_op.f(FOREIGN_KEY), type_="foreignkey")
        batch_op.drop_column("backbone_id")
        for name, kind in OF_CHECKPOINT.items():
            batch_op.alter_column(name, existing_type=kind, nullable=False)
    connection = op.get_bind()
    stopped = sa.cast(ROUNDS.c.stop, sa.Text) != "null"  # of a JSON null, or of no value
    for key in connection.execute(sa.select(ROUNDS.c.job_id, ROUNDS.c.round).where(stopped)).all():
        first, *others = _of_round(key, ROUNDS.c.clusters)
        clusters = [{**first, STOP: _of_round(key, ROUNDS.c.stop)}, *others]
        connection.execute(sa.update(ROUNDS).where(_is(key)).values(clusters=clusters))
    with op.batch_alter_table("sampling_rounds", schema=None) as batch_op:
        for name in ("stop", *ARRAYS):
            batch_op.drop_column(name)


def _of_round(key: Any, column: sa.ColumnClause[Any]) -> Any:
    return op.get_bind().scalar(sa.select(column).where(_is(key)))


def _is(key: Any) -> sa.ColumnElement[bool]:
    return sa.and_(ROUNDS.c.job_id == key.job_id, ROUNDS.c.round == key.round)
