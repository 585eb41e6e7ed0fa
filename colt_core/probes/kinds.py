"""The kinds of probes, and their settings. Imports no torch, so that the API can check a request.

To add a probe, write a file with a function as `Probe` in `evaluate.py` describes, and register its
settings here.
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
    """Settings of a probe: of a registered kind, `linear` where none is named."""

    registry = probes
    default_kind = "linear"

    if TYPE_CHECKING:  # this class takes what any kind reads

        def __init__(self, **values: Any) -> None: ...

    group_thresholds: GroupThresholds | None = Field(
        None, description="Many, Medium and Few by training counts; by thirds of the rank where not given."
    )
    seed: int = Field(0, ge=0, lt=2**31)

    def problem(self, class_counts: Sequence[int], num_probe: int, num_val: int) -> tuple[str, str] | None:
        """What keeps this probe from running on data of these sizes.

        Args:
            class_counts: training images of each class.
            num_probe, num_val: images of the two parts.

        Returns:
            (setting, what to change), or None when the probe can run.
        """
        return None


EvaluationConfig = ProbeSettings  # its public name


class _OfLinearLayer(ProbeSettings):
    protocol: Protocol = Field(
        "fast", description="fast: logistic regression on cached features; sgd: as released, with augmentation."
    )


@probes.register
class LinearProbeConfig(_OfLinearLayer):
    """A linear classifier on frozen features, trained on the whole balanced probe part."""

    kind = "linear"
    title = "Linear probe"
    implementation = "colt_core.probes.linear:predict"


@probes.register
class FewShotProbeConfig(_OfLinearLayer):
    """A linear classifier on frozen features, trained on a few images of each class."""

    kind = "few_shot"
    title = "Few-shot probe"
    implementation = "colt_core.probes.few_shot:predict"

    shots: int | None = Field(
        None, ge=1, description="Images a class; 1 % of the largest class's training images where not given."
    )

    def shots_for(self, class_counts: Sequence[int]) -> int:
        """Images a class. Default: 45 on CIFAR-10-LT, 4 on CIFAR-100-LT, 12 on ImageNet-100-LT."""
        return self.shots or max(1, max(class_counts) // 100)

    def problem(self, class_counts: Sequence[int], num_probe: int, num_val: int) -> tuple[str, str] | None:
        per_class = num_probe // len(class_counts)
        usable = per_class if num_val else per_class - held_out(per_class)
        if (shots := self.shots_for(class_counts)) > usable:
            return "shots", f"shots {shots} is more than the {usable} images a class that the probe part can give"
        return None


@probes.register
class KnnProbeConfig(ProbeSettings):
    """The vote of the nearest probe images, for each test image. Nothing is trained."""

    kind = "knn"
    title = "Nearest neighbours"
    implementation = "colt_core.probes.knn:predict"

    neighbors: int = Field(20, ge=1, le=10_000, description="How many vote.")
