"""The baseline with the same pool and budget: K images drawn uniformly."""

from __future__ import annotations

import torch

from colt_core.events import Int64
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

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices, a function of the run's seed and, with `redraw`, the round's number."""
        drawn = generator(inputs.seed, "random sampler", inputs.round if self.redraw else 1)
        return torch.randperm(len(inputs.ood_z), generator=drawn)[: inputs.budget].numpy()
