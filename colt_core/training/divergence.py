"""What a run ends with when its numbers do."""

from __future__ import annotations


class TrainingDiverged(RuntimeError):
    """The loss is not finite, and the weights are still those before the step; or a round's embeddings are not."""
