"""Runs a probe of a backbone on a data set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import ImageDataset
from colt_core.data.rare import evaluation_warnings
from colt_core.models import Backbone
from colt_core.probes.fitted import ProbeFit
from colt_core.probes.kinds import ProbeSettings
from colt_core.probes.metrics import Evaluation, summarize

Int64 = NDArray[np.int64]


class Probe(Protocol):
    """The implementation of a kind of probe."""

    def __call__(
        self, backbone: Backbone, dataset: ImageDataset, settings: Any, /, *, flip_probability: float, precision: str
    ) -> Int64:
        """Learn from the probe part with a frozen backbone, and predict the test part's classes.

        Classes may have different numbers of images, or none. All that have any weigh the same.
        The final fit is on the images of `settings.fitted_on`.

        Args:
            backbone: on any device; its training mode is restored afterwards.
            settings: settings of the probe's kind.
            flip_probability: for augmentation, as in pretraining.
            precision: of the backbone's forward passes: `auto`, `fp32` or `bf16`.

        Returns:
            One class for each test image.
        """


def evaluate(
    backbone: Backbone,
    dataset: ImageDataset,
    config: ProbeSettings | None = None,
    *,
    flip_probability: float = 0.5,
    precision: str = "auto",
) -> Evaluation:
    """:func:`predict` the test part, compute accuracies, and say what they rest on.

    Raises:
        ValueError: if the data set has no test part, or is too small for the probe; see
            :meth:`ProbeSettings.problem`.
    """
    config = config or ProbeSettings()
    found = summarize(
        predict(backbone, dataset, config, flip_probability=flip_probability, precision=precision),
        dataset.labels[dataset.parts["test"]],
        dataset.class_counts,
        config.group_thresholds,
    )
    fit = ProbeFit.of(dataset, *config.fitted_on(dataset))
    warnings = evaluation_warnings(dataset.class_names, fit.images_per_class, found.test_counts, fit.shots)
    return replace(found, probe=fit, warnings=warnings)


def predict(
    backbone: Backbone,
    dataset: ImageDataset,
    config: ProbeSettings | None = None,
    *,
    flip_probability: float = 0.5,
    precision: str = "auto",
) -> Int64:
    """Run a :class:`Probe` and return the predicted classes of the test part.

    The default is the fast linear probe.

    Raises:
        ValueError: if the data set has no test part, or is too small for the probe; see
            :meth:`ProbeSettings.problem`.
    """
    config = config or ProbeSettings()
    if not len(dataset.parts["test"]):
        raise ValueError("the data set has no test part, whose classes a probe could predict")
    if problem := config.problem(dataset.class_counts, dataset.counts("probe"), len(dataset.parts["val"])):
        raise ValueError(problem[1])
    probe: Probe = config.load()
    return probe(backbone, dataset, config, flip_probability=flip_probability, precision=precision)
