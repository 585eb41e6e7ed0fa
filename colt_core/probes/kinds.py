"""The kinds of probes and their settings. Imports no torch.

To add a probe, write a function with the protocol `Probe` of `evaluate.py` in a new file. Then
register its settings here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from colt_core.data.groups import GroupThresholds
from colt_core.kinds import Registry
from colt_core.probes.split import held_out
from colt_core.tagged import TaggedSettings

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

    def problem(self, class_counts: Sequence[int], num_probe: int, num_val: int) -> tuple[str, str] | None:
        """The problem of this probe with data of these sizes, if any.

        Args:
            class_counts: training images of each class.
            num_probe, num_val: images of the probe part and the val part.

        Returns:
            (setting, what to change), or None if the probe can run.
        """
        return None


EvaluationConfig = ProbeSettings  # its public name


class _LinearLayerSettings(ProbeSettings):
    protocol: Protocol = Field(
        "fast",
        description="fast: logistic regression on cached features. sgd: as in the released code, with augmentation.",
    )


@probes.register
class LinearProbeConfig(_LinearLayerSettings):
    """A linear classifier on frozen features, trained on the whole balanced probe part."""

    kind = "linear"
    title = "Linear probe"
    implementation = "colt_core.probes.linear:predict"


@probes.register
class FewShotProbeConfig(_LinearLayerSettings):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind = "few_shot"
    title = "Few-shot probe"
    implementation = "colt_core.probes.few_shot:predict"

    shots: int | None = Field(
        None, ge=1, description="Images of each class. Default: 1 % of the largest class's training images."
    )

    def shots_for(self, class_counts: Sequence[int]) -> int:
        """Images of each class. Defaults: CIFAR-10-LT 45, CIFAR-100-LT 4, ImageNet-100-LT 12."""
        return self.shots or max(1, max(class_counts) // 100)

    def problem(self, class_counts: Sequence[int], num_probe: int, num_val: int) -> tuple[str, str] | None:
        per_class = num_probe // len(class_counts)
        usable = per_class if num_val else per_class - held_out(per_class)
        if (shots := self.shots_for(class_counts)) > usable:
            return "shots", f"shots {shots} is more than the {usable} images of each class in the probe part"
        return None


@probes.register
class KnnProbeConfig(ProbeSettings):
    """For each test image, the nearest probe images vote. Nothing is trained."""

    kind = "knn"
    title = "Nearest neighbours"
    implementation = "colt_core.probes.knn:predict"

    neighbors: int = Field(20, ge=1, le=10_000, description="How many probe images vote.")
