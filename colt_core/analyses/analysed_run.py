"""What analyses look at: a checkpoint, opened beside its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from colt_core.analyses.views import UInt8, choose
from colt_core.config import PretrainConfig
from colt_core.data import ClassGroups, ImageDataset, ImagePool, class_groups
from colt_core.events import Float32, Int64
from colt_core.frameworks.framework import Framework
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import load_framework
from colt_core.training.device import Compute


@dataclass(frozen=True, slots=True)
class AnalysedRun:
    """A checkpoint, opened beside its data."""

    config: PretrainConfig
    framework: Framework  # on its device, in eval mode
    images: UInt8  # the ID training images
    labels: Int64
    num_classes: int
    groups: ClassGroups
    tailness: Float32
    selected: Int64  # what the last round picked
    pool: ImagePool | None

    @classmethod
    def of(cls, state: dict[str, Any], dataset: ImageDataset, pool: ImagePool | None) -> Self:
        """Open a checkpoint's state.

        Raises:
            ValueError: if the data are not those of the run.
        """
        images, labels = dataset.part("train")
        trained = {"num_train": len(images), "image_size": dataset.image_size}
        if pool is not None and state["data"]["num_pool"] is not None:
            trained["num_pool"] = len(pool)
        for name, value in trained.items():
            if state["data"][name] != value:
                raise ValueError(f"the checkpoint is of other data: {name} was {state['data'][name]} and is {value}")
        framework, config = load_framework(state)
        Compute.of(config).module(framework)
        tracker = TailnessTracker(len(images), config.tailness_momentum)
        tracker.load_state_dict(state["tailness"])
        return cls(
            config,
            framework,
            images,
            labels,
            dataset.num_classes,
            class_groups(dataset.class_counts, config.group_thresholds),
            tracker.scores().numpy(),
            state["selected"].numpy(),
            pool,
        )

    def of_classes(self, classes: tuple[int, ...], per_class: int, seed: int) -> Int64:
        """Up to so many training images of each class, drawn."""
        drawn = [np.empty(0, dtype=np.int64)]
        for c in classes:
            members = np.flatnonzero(self.labels == c)
            drawn.append(members[choose(len(members), per_class, seed, c)])
        return np.concatenate(drawn)

    def picked(self, wanted: int, seed: int) -> tuple[UInt8, Int64]:
        """The pool's images, and up to so many of the indices last picked, drawn; none without a round.

        Raises:
            ValueError: if there are picks, but no pool.
        """
        if wanted == 0 or len(self.selected) == 0:
            return self.images[:0], np.empty(0, dtype=np.int64)
        if self.pool is None:
            raise ValueError("the run has picked OOD images, so the analysis needs its pool")
        return self.pool.images, np.sort(self.selected[choose(len(self.selected), wanted, seed)])
