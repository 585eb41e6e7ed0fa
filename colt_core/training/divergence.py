"""What a run ends with when its numbers do."""

from __future__ import annotations


class TrainingDiverged(RuntimeError):
    """The loss is not finite, or a round's embeddings are not: the weights are of no use. Go on from a checkpoint."""
