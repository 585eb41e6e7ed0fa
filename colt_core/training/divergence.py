"""The error of a run whose numbers are no longer finite, or beyond reason."""

from __future__ import annotations


class TrainingDiverged(RuntimeError):
    """The loss, a gradient, a weight or a round's embeddings are unusable, so the run has ended.

    Resume from a checkpoint.

    Attributes:
        loss_rose: whether the loss had risen before. If not, the learning rate need not be the
            cause.
    """

    def __init__(self, message: str, loss_rose: bool = False) -> None:
        super().__init__(message)
        self.loss_rose = loss_rose
