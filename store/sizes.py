"""Bytes of the database that a run's rows take, with their indices."""

from __future__ import annotations

from colt_core.cost.run import RunCost

METRIC_BYTES = 190  # of a point of a curve: Postgres takes about that, SQLite less
EPOCH_BYTES, OF_CLASS_BYTES = 250, 22  # of an epoch's tailness beside its values; and its mean of a class
ROUND_BYTES, CLUSTER_BYTES, COUNT_BYTES = 700, 130, 5  # of a round; of each of its clusters; of a class's count
TAILNESS_BYTES, SCORE_BYTES, ASSIGNED_BYTES = 4, 11, 2  # of a training image; of a pool image; of its cluster
NEAREST_BYTES = 6  # of a training image near a pick
CHECKPOINT_BYTES = 1000  # of its row, and of the line in the log


def database_bytes(cost: RunCost, num_classes: int, num_clusters: int) -> int:
    """Bytes that the rows of a run take, without those that tell watchers of its progress.

    Args:
        cost: of the run.
        num_classes: 0 without labels.
        num_clusters: of a sampling round.
    """
    of_round = ROUND_BYTES + num_clusters * (CLUSTER_BYTES + num_classes * COUNT_BYTES)
    return (
        METRIC_BYTES * cost.metrics
        + cost.epochs * (EPOCH_BYTES + OF_CLASS_BYTES * num_classes)
        + TAILNESS_BYTES * cost.tailness_values
        + cost.rounds * of_round
        + SCORE_BYTES * cost.pool_values
        + ASSIGNED_BYTES * cost.cluster_values
        + NEAREST_BYTES * cost.nearest_values
        + CHECKPOINT_BYTES * cost.checkpoints
    )
