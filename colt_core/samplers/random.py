"""The baseline with the same pool and budget: K images drawn uniformly."""

from __future__ import annotations

import numpy as np

from colt_core.events import Int64
from colt_core.samplers.protocol import RoundInputs

PURPOSE = 0x72616E64  # keeps these draws apart from others made from the run's seed


class RandomSampler:
    """K of the pool, uniformly and without replacement.

    Args:
        redraw: draw anew each round, or keep the first round's draw.
    """

    def __init__(self, redraw: bool = True) -> None:
        self.redraw = redraw

    def select(self, inputs: RoundInputs) -> Int64:
        """(K,) pool indices, a function of the run's seed and, with `redraw`, the round's number."""
        generator = np.random.default_rng([inputs.seed, PURPOSE, inputs.round if self.redraw else 1])
        return generator.choice(len(inputs.ood_z), size=inputs.budget, replace=False).astype(np.int64)
