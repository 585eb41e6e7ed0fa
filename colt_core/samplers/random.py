"""The baseline with the same pool and budget: K images drawn uniformly."""

from __future__ import annotations

from typing import Self

import torch

from colt_core.config import PretrainConfig
from colt_core.events import Int64
from colt_core.samplers.kinds import RandomSettings
from colt_core.samplers.protocol import RoundInputs
from colt_core.seeding import generator


class RandomSampler:
    """K of the pool, uniformly and without replacement.

    Args:
        redraw: draw anew each round, or keep the first round's draw.
    """

    needs_measures = False

    def __init__(self, redraw: bool = True) -> None:
        self.redraw = redraw

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler that a configuration describes."""
        settings = config.sampler
        assert isinstance(settings, RandomSettings)
        return cls(settings.redraw)

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices, a function of the run's seed and, with `redraw`, the round's number."""
        drawn = generator(inputs.seed, "random sampler", inputs.round if self.redraw else 1)
        return torch.randperm(len(inputs.ood_z), generator=drawn)[: inputs.budget].numpy()
