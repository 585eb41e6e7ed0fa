"""A probe that is defined here alone goes through settings, problem and evaluation like the
others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import Field, ValidationError

from colt_core.data import ImageDataset
from colt_core.models import Backbone
from colt_core.probes.evaluate import evaluate
from colt_core.probes.features import features_of
from colt_core.probes.kinds import ProbeSettings, probes


class NearestMeanConfig(ProbeSettings):
    """The class with the nearest mean feature.

    A second paragraph is not part of the summary.
    """

    kind = "nearest_mean"
    title = "Nearest mean"
    implementation = f"{__name__}:nearest_mean"

    least: int = Field(1, ge=1, description="Probe images that each class must have.")

    def problem(self, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int) -> tuple[str, str] | None:
        fewest = min(probe_counts)
        return None if fewest >= self.least else ("least", f"there are {fewest} probe images of a class")


def nearest_mean(
    backbone: Backbone, dataset: ImageDataset, settings: NearestMeanConfig, *, flip_probability: float, precision: str
) -> np.ndarray:
    assert (flip_probability, precision) == (0.25, "fp32")
    probe, test = dataset.parts["probe"], dataset.parts["test"]
    x, y = features_of(backbone, dataset.images, probe, precision=precision), dataset.labels[probe]
    means = np.stack([x[y == c].mean(axis=0) for c in range(dataset.num_classes)])
    tested = features_of(backbone, dataset.images, test, precision=precision)
    return np.linalg.norm(tested[:, None] - means, axis=2).argmin(axis=1)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_classes", dict(probes._classes))
    probes.register(NearestMeanConfig)


def shades() -> ImageDataset:
    """A dark and a bright class; three probe images of each."""
    labels = np.tile([0, 1], 8).astype(np.int64)
    images = np.random.default_rng(0).integers(0, 60, (16, 3, 16, 16)) + 190 * labels[:, None, None, None]
    parts = {"train": np.arange(6), "probe": np.arange(6, 12), "val": np.empty(0, np.int64), "test": np.arange(12, 16)}
    return ImageDataset(images.astype(np.uint8), labels, ("dark", "bright"), parts)


def evaluated(settings: ProbeSettings) -> Any:
    backbone = Backbone("resnet10", width=8, stem="cifar-stride2")
    return evaluate(backbone, shades(), settings, flip_probability=0.25, precision="fp32")


@pytest.mark.usefixtures("registered")
def test_a_probe_of_ones_own() -> None:
    settings = ProbeSettings.model_validate({"kind": "nearest_mean", "least": 3, "seed": 4})
    assert settings == NearestMeanConfig(least=3, seed=4) == ProbeSettings(kind="nearest_mean", least=3, seed=4)
    assert settings.summary() == "The class with the nearest mean feature."
    assert settings.model_dump() == {"kind": "nearest_mean", "least": 3, "seed": 4, "group_thresholds": None}
    assert evaluated(settings).per_class_accuracy == (1.0, 1.0)
    with pytest.raises(ValueError, match="there are 3 probe images of a class"):
        evaluated(NearestMeanConfig(least=4))
    with pytest.raises(ValidationError, match="only probe 'nearest_mean' reads it"):
        ProbeSettings.model_validate({"kind": "knn", "least": 3})


def test_a_probe_that_is_not_registered_is_not_known() -> None:
    with pytest.raises(ValidationError, match="Unknown probe 'nearest_mean'"):
        ProbeSettings.model_validate({"kind": "nearest_mean"})
