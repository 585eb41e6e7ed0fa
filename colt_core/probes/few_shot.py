"""The few-shot probe: the linear probe on a few labelled images of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.kinds import FewShotProbeConfig
from colt_core.probes.linear import linear_probe, predict_from_features
from colt_core.probes.linear_sgd import FEW_SHOT, predict_by_sgd
from colt_core.probes.split import choose_shots, probe_split

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


def predict(
    backbone: Backbone, dataset: ImageDataset, settings: FewShotProbeConfig, *, flip_probability: float, precision: str
) -> Int64:
    """The probe `few_shot`; see :class:`colt_core.probes.evaluate.Probe`.

    Unlike in the linear probe, the final fit uses only the shots. Validation images would be
    additional shots.
    """
    _, val = probe_split(dataset, settings.seed)
    shots, _ = settings.fitted_on(dataset)
    if settings.protocol == "fast":
        return predict_from_features(backbone, dataset, shots, val, final=shots, precision=precision)
    return predict_by_sgd(
        backbone,
        dataset,
        shots,
        val,
        FEW_SHOT,
        flip_probability=flip_probability,
        precision=precision,
        seed=settings.seed,
    )


def few_shot_probe(
    train_features: Float32,
    train_labels: Int64,
    test_features: Float32,
    *,
    shots: int,
    strength: float = 0.1,
    seed: int = 0,
) -> Int64:
    """:func:`linear_probe` on `shots` images of each class, or all where a class has fewer.

    Returns:
        (M,) predicted classes.
    """
    chosen = choose_shots(train_labels, shots, seed)
    return linear_probe(train_features[chosen], train_labels[chosen], test_features, strength=strength)
