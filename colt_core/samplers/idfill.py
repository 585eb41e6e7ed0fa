"""A control for what OOD images add: budgets filled with ID images of the same clusters.

A run with it balances the clusters as COLT does, but sees no OOD image.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from colt_core.config import PretrainConfig
from colt_core.events import Int64
from colt_core.samplers.protocol import RoundInputs, Sampler
from colt_core.seeding import generator


class IdFillSampler(Sampler):
    """Repeats each cluster's own images up to its budget, all equally often, but for one."""

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        return cls()

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) indices of training images, cluster by cluster.

        A cluster fills its budget like water: whole turns of its images, then a part of one. Each
        turn is in an order of its own, a function of the run's seed and the round.

        Raises:
            ValueError: if the clusters of the images are not given.
        """
        if inputs.id_cluster is None:
            raise ValueError("IdFillSampler needs id_cluster, the cluster of every training image")
        drawn = generator(inputs.seed, "idfill sampler", inputs.round)
        picks = []
        for number, cluster in enumerate(inputs.clusters):
            if cluster.budget:  # an empty cluster has none
                members = np.flatnonzero(inputs.id_cluster == number)
                turns = -(-cluster.budget // len(members))
                orders = [torch.randperm(len(members), generator=drawn).numpy() for _ in range(turns)]
                picks.append(members[np.concatenate(orders)[: cluster.budget]])
        return np.concatenate(picks).astype(np.int64)
