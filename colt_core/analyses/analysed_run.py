"""A run as analyses see it: a checkpoint and its data."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from colt_core.analyses.analysed import Analysed
from colt_core.analyses.kinds import Need
from colt_core.analyses.views import UInt8, choose
from colt_core.config import PretrainConfig
from colt_core.data import ImageDataset, ImagePool
from colt_core.data.dataset import DatasetLabels
from colt_core.events import Float32, Int64
from colt_core.models import Encoder
from colt_core.snapshot import Snapshot
from colt_core.tailness import TailnessTracker
from colt_core.training.checkpoint import load_framework
from colt_core.training.device import Compute


@dataclass(frozen=True)
class AnalysedRun(Analysed):
    """A checkpoint and its data. Its embeddings are outputs of the projection head."""

    state: Snapshot
    pool: ImagePool | None

    @classmethod
    def of(
        cls,
        state: Snapshot,
        data: ImageDataset | DatasetLabels | ImagePool,
        pool: ImagePool | None,
        needs: Set[Need] = frozenset({"images", "pool"}),
    ) -> Self:
        """Open a checkpoint with its data.

        Args:
            state: the checkpoint's state.
            data: the data set; a pool if it has no labels. Labels are enough if `needs` has no
                "images".
            pool: the OOD pool, or None.
            needs: what will be read besides the labels. Only that is compared with the run's data.

        Raises:
            ValueError: if the data are not the run's.
        """
        run = cls(PretrainConfig.from_stored(state["config"]), data, state, pool)
        sizes = {"num_train": len(data) if isinstance(data, ImagePool) else len(run.labels)}
        if "images" in needs:
            sizes["image_size"] = int(run.images.shape[-1])
        if "pool" in needs and pool is not None and state["data"]["num_pool"] is not None:
            sizes["num_pool"] = len(pool)
        trained_on: dict[str, object] = {**state["data"]}
        for name, value in sizes.items():
            if trained_on[name] != value:
                raise ValueError(f"the checkpoint belongs to other data: {name} was {trained_on[name]} and is {value}")
        return run

    @cached_property
    def encoder(self) -> Encoder:
        """The framework on its device, in eval mode."""
        framework, config = load_framework(self.state)
        Compute.of(config).module(framework)
        return framework

    @cached_property
    def tailness(self) -> Float32:
        """Tailness of each ID training image. Images without a score have the others' mean."""
        tracker = TailnessTracker(len(self.state["tailness"]["score"]), self.config.tailness_momentum)
        tracker.load_state_dict(self.state["tailness"])
        return tracker.scores().numpy()

    @property
    def selected(self) -> Int64:
        """Pool indices that the last round picked; empty if it picked training images."""
        selected: Int64 = self.state["selected"].numpy()
        return selected if self.config.sampler.uses_pool else selected[:0]

    def picked(self, wanted: int, seed: int) -> tuple[UInt8, Int64]:
        """The pool's images, and up to `wanted` randomly drawn indices of the last round's picks.

        Raises:
            ValueError: if there are picks, but no pool.
        """
        if wanted == 0 or len(self.selected) == 0:
            return super().picked(wanted, seed)
        if self.pool is None:
            raise ValueError("the run has picked OOD images, so the analysis needs its pool")
        return self.pool.images, np.sort(self.selected[choose(len(self.selected), wanted, seed)])
