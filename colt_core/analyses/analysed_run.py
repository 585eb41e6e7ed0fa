"""What analyses look at: a checkpoint, opened beside its data."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from colt_core.analyses.kinds import Need
from colt_core.analyses.views import UInt8, choose
from colt_core.config import PretrainConfig
from colt_core.data import ClassGroups, ImageDataset, ImagePool, class_groups
from colt_core.data.dataset import DatasetLabels
from colt_core.events import Float32, Int64
from colt_core.frameworks.framework import Framework
from colt_core.snapshot import Snapshot
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import load_framework
from colt_core.training.device import Compute


@dataclass(frozen=True)
class AnalysedRun:
    """A checkpoint, opened beside its data.

    Images and network are not touched before an analysis asks for them.
    """

    config: PretrainConfig
    state: Snapshot
    labelled: ImageDataset | DatasetLabels
    pool: ImagePool | None

    @classmethod
    def of(
        cls,
        state: Snapshot,
        labelled: ImageDataset | DatasetLabels,
        pool: ImagePool | None,
        needs: Set[Need] = frozenset({"images", "pool"}),
    ) -> Self:
        """Open a checkpoint's state.

        Args:
            labelled: the data set; its labels alone, where `needs` has no "images".
            needs: what will be read beside the labels; only that is compared with the data of the
                run.

        Raises:
            ValueError: if the data are not those of the run.
        """
        run = cls(PretrainConfig.from_stored(state["config"]), state, labelled, pool)
        data = {"num_train": len(run.labels)}
        if "images" in needs:
            data["image_size"] = run.dataset.image_size
        if "pool" in needs and pool is not None and state["data"]["num_pool"] is not None:
            data["num_pool"] = len(pool)
        trained_on: dict[str, object] = {**state["data"]}
        for name, value in data.items():
            if trained_on[name] != value:
                raise ValueError(f"the checkpoint is of other data: {name} was {trained_on[name]} and is {value}")
        return run

    @property
    def dataset(self) -> ImageDataset:
        """The data set with its images.

        Raises:
            ValueError: if there are labels alone.
        """
        if not isinstance(self.labelled, ImageDataset):
            raise ValueError("the analysis needs the images of the data set")
        return self.labelled

    @cached_property
    def framework(self) -> Framework:
        """On its device, in eval mode."""
        framework, config = load_framework(self.state)
        Compute.of(config).module(framework)
        return framework

    @cached_property
    def images(self) -> UInt8:
        """The ID training images."""
        return self.dataset.part("train")[0]

    @cached_property
    def labels(self) -> Int64:
        """The classes of the ID training images."""
        return self.labelled.labels[self.labelled.parts["train"]]

    @property
    def num_classes(self) -> int:
        """C."""
        return self.labelled.num_classes

    @cached_property
    def groups(self) -> ClassGroups:
        """Many, Medium and Few by the run's `group_thresholds`."""
        return class_groups(self.labelled.class_counts, self.config.group_thresholds)

    @cached_property
    def tailness(self) -> Float32:
        """Of each ID training image; one that was never scored has the mean of the others."""
        tracker = TailnessTracker(len(self.labels), self.config.tailness_momentum)
        tracker.load_state_dict(self.state["tailness"])
        return tracker.scores().numpy()

    @property
    def selected(self) -> Int64:
        """Indices into the pool that the last round picked."""
        selected: Int64 = self.state["selected"].numpy()
        return selected

    def of_classes(self, classes: tuple[int, ...], per_class: int, seed: int) -> Int64:
        """Up to so many training images of each class, drawn."""
        drawn = [np.empty(0, dtype=np.int64)]
        for c in classes:
            members = np.flatnonzero(self.labels == c)
            drawn.append(members[choose(len(members), per_class, seed, c)])
        return np.concatenate(drawn)

    def picked(self, wanted: int, seed: int) -> tuple[UInt8, Int64]:
        """The pool's images, and up to so many of the indices last picked, drawn.

        Before the first round there are none.

        Raises:
            ValueError: if there are picks, but no pool.
        """
        if wanted == 0 or len(self.selected) == 0:
            return self.images[:0], np.empty(0, dtype=np.int64)
        if self.pool is None:
            raise ValueError("the run has picked OOD images, so the analysis needs its pool")
        return self.pool.images, np.sort(self.selected[choose(len(self.selected), wanted, seed)])
