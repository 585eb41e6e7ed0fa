"""The error of a run whose numbers are no longer finite."""

from __future__ import annotations


class TrainingDiverged(RuntimeError):
    """The loss or a round's embeddings are not finite, so the weights are useless.

    Resume from a checkpoint.
    """
