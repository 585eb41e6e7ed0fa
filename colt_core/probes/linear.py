"""The fast linear probe: logistic regression on cached features, which takes seconds on a CPU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# Inverse L2 strengths to choose from, for standardised features.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
_MAX_ITERATIONS = 300


def linear_probe(
    train_features: Float32, train_labels: Int64, test_features: Float32, *, strength: float = 0.1
) -> Int64:
    """Fit a linear classifier (softmax regression, L-BFGS) on standardised features, and predict.

    Args:
        train_features: (N, d). train_labels: (N,).
        test_features: (M, d).
        strength: inverse of the L2 penalty; see :func:`choose_strength`.

    Returns:
        (M,) predicted classes.

    Raises:
        ValueError: fewer than two classes among the labels, or sizes that do not fit together.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS))
    with warnings.catch_warnings():
        # Stopping early is one more regulariser, and the strength is chosen with it in place.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train_features, train_labels)
    predictions: Int64 = model.predict(test_features)
    return predictions


def choose_strength(
    train_features: Float32,
    train_labels: Int64,
    val_features: Float32,
    val_labels: Int64,
    strengths: Sequence[float] = STRENGTHS,
) -> float:
    """The strength with the best top-1 on the validation features; of equals the smallest: the simplest classifier."""
    return max(
        sorted(strengths),
        key=lambda strength: float(
            np.mean(linear_probe(train_features, train_labels, val_features, strength=strength) == val_labels)
        ),
    )
