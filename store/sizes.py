"""Bytes of the database that a run's rows take, with their indices, and of its rounds' files."""

from __future__ import annotations

from colt_core.cost.run import RunCost

METRIC_BYTES = 190  # of a point of a curve: Postgres takes about that, SQLite less
EPOCH_BYTES, OF_CLASS_BYTES = 250, 22  # of an epoch's tailness beside its values; and its mean of a class
ROUND_BYTES, CLUSTER_BYTES, COUNT_BYTES = 700, 130, 5  # of a round; of each of its clusters; of a class's count
TAILNESS_BYTES, ASSIGNED_BYTES = 4, 2  # of a training image; of its cluster
SCORE_BYTES = 9.125  # of a pool image in a file; with more than 256 clusters one more
NEAREST_BYTES = 6.5  # of a training image near a pick, with its part of the pick's index
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
        + ASSIGNED_BYTES * cost.cluster_values
        + int(NEAREST_BYTES * cost.nearest_values)
        + CHECKPOINT_BYTES * cost.checkpoints
    )


def scores_bytes(cost: RunCost) -> int:
    """Bytes of the files with what the rounds of a run measure of the pool, if all are kept."""
    return int(SCORE_BYTES * cost.pool_values)
