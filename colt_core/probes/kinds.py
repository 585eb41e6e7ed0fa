"""The kinds of probes and their settings. Imports no torch.

To add a probe, write a function with the protocol `Probe` of `evaluate.py` in a new file. Then
register its settings here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from colt_core.data.dataset import Labelled
from colt_core.data.groups import GroupThresholds
from colt_core.kinds import Registry
from colt_core.probes.split import choose_shots, held_out, probe_split
from colt_core.tagged import TaggedSettings

Int64 = NDArray[np.int64]
Protocol = Literal["fast", "sgd"]

probes: Registry[ProbeSettings] = Registry("probe")


class ProbeSettings(TaggedSettings):
    """Settings of a probe of any registered kind. The default kind is `linear`."""

    registry = probes
    default_kind = "linear"

    if TYPE_CHECKING:  # this class takes the settings of every kind

        def __init__(self, **values: Any) -> None: ...

    group_thresholds: GroupThresholds | None = Field(
        None, description="Many, Medium and Few by training counts. Default: thirds by rank."
    )
    seed: int = Field(0, ge=0, lt=2**31)

    def problem(self, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int) -> tuple[str, str] | None:
        """The problem of this probe with data of these sizes, if any.

        Args:
            class_counts: training images of each class.
            probe_counts: probe images of each class.
            num_val: images of the val part.

        Returns:
            (setting, what to change), or None if the probe can run.
        """
        if (classes := np.count_nonzero(probe_counts)) < 2:
            return (
                "kind",
                f"a probe learns to tell classes apart, but {classes} of {len(probe_counts)} have probe images",
            )
        return None

    def fitted_on(self, dataset: Labelled) -> tuple[Int64, int | None]:
        """What this probe's final fit learns from.

        Returns:
            Indices into the data set, ascending, and the number of images of each class that was
            asked for. Default: the whole probe part, and None.
        """
        return dataset.parts["probe"], None


EvaluationConfig = ProbeSettings  # its public name


class _LinearLayerSettings(ProbeSettings):
    protocol: Protocol = Field(
        "fast",
        description="fast: logistic regression on cached features. sgd: as in the released code, with augmentation.",
    )


@probes.register
class LinearProbeConfig(_LinearLayerSettings):
    """A linear classifier on frozen features, trained on the whole probe part."""

    kind = "linear"
    title = "Linear probe"
    implementation = "colt_core.probes.linear:predict"

    def fitted_on(self, dataset: Labelled) -> tuple[Int64, int | None]:
        return dataset.parts["probe"] if self.protocol == "fast" else probe_split(dataset, self.seed)[0], None


@probes.register
class FewShotProbeConfig(_LinearLayerSettings):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind = "few_shot"
    title = "Few-shot probe"
    implementation = "colt_core.probes.few_shot:predict"

    shots: int | None = Field(
        None,
        ge=1,
        description="Images of each class; one with fewer gives all. Default: 1 % of the largest class's training "
        "images.",
    )

    def shots_for(self, class_counts: Sequence[int]) -> int:
        """Images of each class. Defaults: CIFAR-10-LT 45, CIFAR-100-LT 4, ImageNet-100-LT 12."""
        return self.shots or max(1, max(class_counts) // 100)

    def problem(self, class_counts: Sequence[int], probe_counts: Sequence[int], num_val: int) -> tuple[str, str] | None:
        usable = max((n if num_val else n - held_out(n) for n in probe_counts), default=0)
        if self.shots is not None and self.shots > usable:
            return "shots", f"shots {self.shots} is more than the {usable} images that any class has to learn from"
        return super().problem(class_counts, probe_counts, num_val)

    def fitted_on(self, dataset: Labelled) -> tuple[Int64, int | None]:
        learn, _ = probe_split(dataset, self.seed)
        labels = dataset.labels[learn]
        shots = min(self.shots_for(dataset.class_counts), int(np.bincount(labels).max()))
        return learn[choose_shots(labels, shots, self.seed)], shots


@probes.register
class KnnProbeConfig(ProbeSettings):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind = "knn"
    title = "Nearest neighbours"
    implementation = "colt_core.probes.knn:predict"

    neighbors: int = Field(20, ge=1, le=10_000, description="How many probe images vote.")
