"""The random baseline: K pool images drawn uniformly."""

from __future__ import annotations

from typing import Self

import torch

from colt_core.config import PretrainConfig
from colt_core.events import Int64
from colt_core.samplers.kinds import RandomSettings
from colt_core.samplers.protocol import RoundInputs, Sampler
from colt_core.seeding import generator


class RandomSampler(Sampler):
    """Draws K pool images uniformly, without replacement.

    Args:
        redraw: draw again in each round, or keep the first round's draw.
    """

    def __init__(self, redraw: bool = True) -> None:
        self.redraw = redraw

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        """The sampler of a configuration."""
        settings = config.sampler
        assert isinstance(settings, RandomSettings)
        return cls(settings.redraw)

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices, a function of the run's seed and, with `redraw`, the round."""
        drawn = generator(inputs.seed, "random sampler", inputs.round if self.redraw else 1)
        return torch.randperm(len(inputs.ood_z), generator=drawn)[: inputs.budget].numpy()
