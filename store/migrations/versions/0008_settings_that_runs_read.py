"""A job's configuration holds only the settings that its framework and sampler read.

Earlier versions stored every setting, and showed unused ones as if the run had read them.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What each kind read when this was written. All other settings are common to every kind.
FRAMEWORKS = {
    "simclr": set[str](),
    "sdclr": {"prune_share"},
    "bcl": {"bcl_variant", "loss_momentum", "prune_share"},
}
ROUNDS = {
    "warmup_epochs",
    "sample_budget",
    "cluster_temperature",
    "budget_remainder",
    "ood_neighbors",
    "neighbor_search",
}
SAMPLERS = {
    "none": {"match_steps", "warmup_epochs", "sample_budget"},
    "random": ROUNDS | {"sample_interval", "redraw"},
    "mak": ROUNDS | {"mak_passes", "mak_loss_weight", "mak_candidates"},
    "colt": ROUNDS | {"sample_interval", "cluster_order", "pool_refresh"},
}
OF_KINDS = set().union(*FRAMEWORKS.values(), *SAMPLERS.values())

JOBS = sa.table("jobs", sa.column("id", sa.String), sa.column("config", sa.JSON().with_variant(JSONB(), "postgresql")))


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(JOBS.c.id, JOBS.c.config)).all():
        if not isinstance(row.config, dict):
            continue  # no version wrote that; it must not keep the service from starting
        config = row.config
        read = FRAMEWORKS.get(config.get("framework", ""), OF_KINDS) | SAMPLERS.get(config.get("sampler", ""), OF_KINDS)
        kept = {name: value for name, value in config.items() if name not in OF_KINDS or name in read}
        if config.get("framework") == "bcl" and config.get("bcl_variant") == "I":
            kept.pop("prune_share", None)  # variant D alone prunes
        if kept != config:
            connection.execute(sa.update(JOBS).where(JOBS.c.id == row.id).values(config=kept))


def downgrade() -> None:
    """Do nothing: earlier versions use defaults for missing settings, and runs ignore them."""
