"""One probe of one backbone on one data set, as asked for by an `EvaluationConfig`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.config import EvaluationConfig
from colt_core.probes.features import features_of
from colt_core.probes.few_shot import choose_shots
from colt_core.probes.knn import knn_probe
from colt_core.probes.linear import choose_strength, linear_probe
from colt_core.probes.linear_sgd import linear_probe_sgd
from colt_core.probes.metrics import Evaluation, summarize
from colt_core.probes.split import probe_split

Int64 = NDArray[np.int64]


def evaluate(
    backbone: Backbone,
    dataset: ImageDataset,
    config: EvaluationConfig | None = None,
    *,
    flip_probability: float = 0.5,
    precision: str = "auto",
) -> Evaluation:
    """:func:`predict` on the test part, and count what was right.

    Raises:
        ValueError: the data set is too small for the probe, see :meth:`EvaluationConfig.problem`.
    """
    config = config or EvaluationConfig()
    return summarize(
        predict(backbone, dataset, config, flip_probability=flip_probability, precision=precision),
        dataset.labels[dataset.parts["test"]],
        dataset.class_counts,
        config.group_thresholds,
    )


def predict(
    backbone: Backbone,
    dataset: ImageDataset,
    config: EvaluationConfig | None = None,
    *,
    flip_probability: float = 0.5,
    precision: str = "auto",
) -> Int64:
    """Learn from the probe part with the backbone frozen, and predict the classes of the test part.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        config: which probe; the fast linear one by default.
        flip_probability: of the `sgd` protocol's augmentation; what pretraining used.

    Returns:
        One class for each test image.

    Raises:
        ValueError: the data set is too small for the probe, see :meth:`EvaluationConfig.problem`.
    """
    config = config or EvaluationConfig()
    sizes = dataset.split_sizes
    if problem := config.problem(dataset.class_counts, sizes["probe"], sizes["val"]):
        raise ValueError(problem)
    if config.protocol == "sgd":
        return _sgd(backbone, dataset, config, flip_probability, precision)
    return _fast(backbone, dataset, config, precision)


def _fast(backbone: Backbone, dataset: ImageDataset, config: EvaluationConfig, precision: str) -> Int64:
    labels = dataset.labels
    probe, test = dataset.parts["probe"], dataset.parts["test"]
    learn, val = probe_split(dataset, config.seed)
    # Once for all: a probe image is in one or two of the sets below.
    used = np.unique(np.concatenate([probe, val, test]))
    cached = features_of(backbone, dataset.images, used, precision=precision)

    def features(indices: Int64) -> NDArray[np.float32]:
        return cached[np.searchsorted(used, indices)]

    if config.kind == "knn":
        return knn_probe(features(probe), labels[probe], features(test), neighbors=config.neighbors)
    final = probe
    if config.kind == "few_shot":
        final = learn = learn[choose_shots(labels[learn], config.shots_for(dataset.class_counts), config.seed)]
    if len(val) == 0:
        return linear_probe(features(final), labels[final], features(test))
    strength = choose_strength(features(learn), labels[learn], features(val), labels[val])
    return linear_probe(features(final), labels[final], features(test), strength=strength)


def _sgd(
    backbone: Backbone, dataset: ImageDataset, config: EvaluationConfig, flip_probability: float, precision: str
) -> Int64:
    labels = dataset.labels
    learn, val = probe_split(dataset, config.seed)
    epochs, drops = 30, (10, 20)
    if config.kind == "few_shot":
        learn = learn[choose_shots(labels[learn], config.shots_for(dataset.class_counts), config.seed)]
        epochs, drops = 100, (40, 60)
    if len(val) == 0:
        val = learn
    return linear_probe_sgd(
        backbone,
        dataset.images,
        labels,
        train=learn,
        val=val,
        test=dataset.parts["test"],
        epochs=epochs,
        drops=drops,
        batch_size=sgd_batch_size(dataset.image_size),
        flip_probability=flip_probability,
        precision=precision,
        seed=config.seed,
    )


def sgd_batch_size(image_size: int) -> int:
    """The published probe's: 128 images of CIFAR, 512 of ImageNet-100 and Places (224 px)."""
    return 512 if image_size >= 224 else 128
