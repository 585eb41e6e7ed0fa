"""What to evaluate a pretrained backbone with. Imports no torch, so that the API can check a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from colt_core.data.groups import GroupThresholds

ProbeKind = Literal["linear", "few_shot", "knn"]


class EvaluationConfig(BaseModel):
    """One probe. `linear` learns from the whole balanced probe part, `few_shot` from about 1 % of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ProbeKind = "linear"
    protocol: Literal["fast", "sgd"] = Field(
        "fast", description="fast: logistic regression on cached features; sgd: as released, with augmentation."
    )
    shots: int | None = Field(
        None, ge=1, description="few_shot: images a class; 1 % of the largest class's training images where not given."
    )
    neighbors: int = Field(20, ge=1, le=10_000, description="knn: how many vote.")
    group_thresholds: GroupThresholds | None = Field(
        None, description="Many, Medium and Few by training counts; by thirds of the rank where not given."
    )
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _protocol_fits(self) -> Self:
        if self.kind == "knn" and self.protocol != "fast":
            raise ValueError("knn trains nothing, so it has no protocol 'sgd'")
        return self

    def shots_for(self, class_counts: Sequence[int]) -> int:
        """few_shot's images a class. By default 45 on CIFAR-10-LT, 4 on CIFAR-100-LT, 12 on ImageNet-100-LT."""
        return self.shots or max(1, max(class_counts) // 100)

    def problem(self, class_counts: Sequence[int], num_probe: int, num_val: int) -> str | None:
        """What keeps this probe from running on data of these sizes, or None.

        Args:
            class_counts: training images of each class.
            num_probe, num_val: images of the two parts.
        """
        per_class = num_probe // len(class_counts)
        usable = per_class if num_val else per_class - held_out(per_class)
        if self.kind == "few_shot" and (shots := self.shots_for(class_counts)) > usable:
            return f"shots {shots} is more than the {usable} images a class that the probe part can give"
        return None


def held_out(per_class: int) -> int:
    """Probe images a class that are set aside for validation where the data have no validation part: a fifth."""
    return 0 if per_class < 2 else max(1, round(per_class / 5))
