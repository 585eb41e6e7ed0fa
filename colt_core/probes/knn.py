"""The k-nearest-neighbour probe, which trains nothing.

The vote is that of Wu et al. 2018, "Unsupervised feature learning", section 3.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.features import cached_features
from colt_core.probes.kinds import KnnProbeConfig

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

_BLOCK = 1024  # test images at a time, so that their similarities stay small


def predict(
    backbone: Backbone,
    dataset: ImageDataset,
    settings: KnnProbeConfig,
    *,
    flip_probability: float,  # noqa: ARG001 - it augments nothing
    precision: str,
) -> Int64:
    """The probe `knn`; see :class:`colt_core.probes.evaluate.Probe`."""
    probe, test = dataset.parts["probe"], dataset.parts["test"]
    features = cached_features(backbone, dataset.images, (probe, test), precision=precision)
    return knn_probe(features(probe), dataset.labels[probe], features(test), neighbors=settings.neighbors)


def knn_probe(
    train_features: Float32,
    train_labels: Int64,
    test_features: Float32,
    *,
    neighbors: int = 20,
    temperature: float = 0.07,
) -> Int64:
    """Let the nearest training features vote for their classes, weighted exp(cosine / temperature).

    Args:
        train_features: (N, d).
        train_labels: (N,) in 0..C-1.
        test_features: (M, d).
        neighbors: how many vote, at most N.
        temperature: the smaller it is, the more the nearest features count.

    Returns:
        (M,) predicted classes. If votes are equal, the lowest class.

    Raises:
        ValueError: if `neighbors` or `temperature` is not positive.
    """
    if neighbors < 1 or temperature <= 0:
        raise ValueError(f"neighbors ({neighbors}) and temperature ({temperature}) must be positive")
    k, num_classes = min(neighbors, len(train_labels)), int(train_labels.max()) + 1
    bank = _unit(train_features)
    predictions = np.empty(len(test_features), dtype=np.int64)
    for start in range(0, len(test_features), _BLOCK):
        cosines = _unit(test_features[start : start + _BLOCK]) @ bank.T
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        # Weights are divided by the largest possible one, so that a small temperature cannot
        # overflow.
        weights = np.exp((np.take_along_axis(cosines, nearest, axis=1) - 1) / temperature)
        votes = np.zeros((len(cosines), num_classes))
        np.add.at(votes, (np.arange(len(cosines))[:, None], train_labels[nearest]), weights)
        predictions[start : start + _BLOCK] = votes.argmax(axis=1)
    return predictions


def _unit(features: Float32) -> Float32:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Float32 = features / np.maximum(length, np.finfo(np.float32).tiny)
    return unit
