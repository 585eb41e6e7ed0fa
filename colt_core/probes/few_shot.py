"""The few-shot probe: the linear probe on a few labelled images of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.kinds import FewShotProbeConfig
from colt_core.probes.linear import linear_probe, predict_from_features
from colt_core.probes.linear_sgd import linear_probe_sgd, sgd_batch_size
from colt_core.probes.split import probe_split

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


def predict(
    backbone: Backbone, dataset: ImageDataset, settings: FewShotProbeConfig, *, flip_probability: float, precision: str
) -> Int64:
    """The probe `few_shot`; see :class:`colt_core.probes.evaluate.Probe`.

    Unlike in the linear probe, the final fit uses only the shots. Validation images would be
    additional shots.
    """
    learn, val = probe_split(dataset, settings.seed)
    shots = learn[choose_shots(dataset.labels[learn], settings.shots_for(dataset.class_counts), settings.seed)]
    if settings.protocol == "fast":
        return predict_from_features(backbone, dataset, shots, val, final=shots, precision=precision)
    return linear_probe_sgd(
        backbone,
        dataset.images,
        dataset.labels,
        train=shots,
        val=val if len(val) else shots,
        test=dataset.parts["test"],
        epochs=100,
        drops=(40, 60),
        batch_size=sgd_batch_size(dataset.image_size),
        flip_probability=flip_probability,
        precision=precision,
        seed=settings.seed,
    )


def choose_shots(labels: Int64, shots: int, seed: int) -> Int64:
    """Seeded positions of `shots` images of each class in `labels`, ascending.

    Raises:
        ValueError: if a class has fewer images.
    """
    chosen = []
    for c in np.unique(labels).tolist():
        of_class = np.flatnonzero(labels == c)
        if len(of_class) < shots:
            raise ValueError(f"class {c} has {len(of_class)} images to choose from, fewer than {shots} shots")
        chosen.append(np.random.default_rng((seed, c)).permutation(of_class)[:shots])
    return np.sort(np.concatenate(chosen))


def few_shot_probe(
    train_features: Float32,
    train_labels: Int64,
    test_features: Float32,
    *,
    shots: int,
    strength: float = 0.1,
    seed: int = 0,
) -> Int64:
    """:func:`linear_probe` on `shots` images of each class.

    Returns:
        (M,) predicted classes.

    Raises:
        ValueError: if a class has fewer images than `shots`.
    """
    chosen = choose_shots(train_labels, shots, seed)
    return linear_probe(train_features[chosen], train_labels[chosen], test_features, strength=strength)
