"""The linear probe, by fast logistic regression on cached features or by SGD as released."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.features import cached_features
from colt_core.probes.fitted import balanced_weights
from colt_core.probes.kinds import LinearProbeConfig
from colt_core.probes.linear_sgd import LINEAR, predict_by_sgd
from colt_core.probes.split import probe_split

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# Inverse L2 penalties to choose from, for standardised features.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
_MAX_ITERATIONS = 300


def predict(
    backbone: Backbone, dataset: ImageDataset, settings: LinearProbeConfig, *, flip_probability: float, precision: str
) -> Int64:
    """The probe `linear`; see :class:`colt_core.probes.evaluate.Probe`.

    The final fit of `fast` uses the whole probe part, including images that validated the strength.
    """
    learn, val = probe_split(dataset, settings.seed)
    final, _ = settings.fitted_on(dataset)
    if settings.protocol == "fast":
        return predict_from_features(backbone, dataset, learn, val, final=final, precision=precision)
    return predict_by_sgd(
        backbone,
        dataset,
        final,
        val,
        LINEAR,
        flip_probability=flip_probability,
        precision=precision,
        seed=settings.seed,
    )


def predict_from_features(
    backbone: Backbone, dataset: ImageDataset, learn: Int64, val: Int64, *, final: Int64, precision: str
) -> Int64:
    """Predict the test part by :func:`linear_probe`. Features are computed once.

    Args:
        learn, val: indices of the images that choose the strength. If `val` is empty, the strength
            has its default.
        final: indices of the images for the final fit.
    """
    labels, test = dataset.labels, dataset.parts["test"]
    features = cached_features(backbone, dataset.images, (learn, val, final, test), precision=precision)
    if len(val) == 0:
        return linear_probe(features(final), labels[final], features(test))
    strength = choose_strength(features(learn), labels[learn], features(val), labels[val])
    return linear_probe(features(final), labels[final], features(test), strength=strength)


def linear_probe(
    train_features: Float32, train_labels: Int64, test_features: Float32, *, strength: float = 0.1
) -> Int64:
    """Fit a linear classifier (softmax regression, L-BFGS) on standardised features, and predict.

    All classes weigh the same, however many images they have.

    Args:
        train_features: (N, d).
        train_labels: (N,).
        test_features: (M, d).
        strength: inverse of the L2 penalty; see :func:`choose_strength`.

    Returns:
        (M,) predicted classes.

    Raises:
        ValueError: for fewer than two classes among the labels, or sizes that do not fit together.
    """
    classifier = LogisticRegression(C=strength, class_weight="balanced", max_iter=_MAX_ITERATIONS)
    model = make_pipeline(StandardScaler(), classifier)
    with warnings.catch_warnings():
        # Stopping early also regularises. The strength is chosen with it in effect.
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
    """The strength with the best balanced accuracy on the validation features.

    Among equals it is the smallest, which gives the simplest classifier.
    """
    weights = balanced_weights(val_labels)

    def accuracy(strength: float) -> float:
        right = linear_probe(train_features, train_labels, val_features, strength=strength) == val_labels
        return round(float(weights[right].sum()), 9)  # equals differ by the rounding of sums

    return max(sorted(strengths), key=accuracy)
