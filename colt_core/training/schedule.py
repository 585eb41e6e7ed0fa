"""How many steps a run takes, where its epochs begin, and the learning rate at each step: all known at the start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from colt_core.config import PretrainConfig


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Batches an epoch is cut into. The last one may be short, but one lone image has no negatives and is left out."""
    full, rest = divmod(num_images, batch_size)
    return full + (rest >= 2)


@dataclass(frozen=True)
class Schedule:
    """The step calendar of one run over `num_train` ID images; epochs and steps count from 1."""

    config: PretrainConfig
    num_train: int

    def images(self, epoch: int) -> int:
        """ID and OOD images of an epoch: every sampling round picks exactly K, and they stay until the next."""
        rounds = self.config.round_epochs()
        return self.num_train + (self.config.sample_budget if len(rounds) and epoch >= rounds[0] else 0)

    def steps_in(self, epoch: int) -> int:
        """Optimiser steps of an epoch."""
        return steps_per_epoch(self.images(epoch), self.config.batch_size)

    def steps_before(self, epoch: int) -> int:
        """Optimiser steps of all earlier epochs together."""
        rounds = self.config.round_epochs()
        first_round = rounds[0] if len(rounds) else self.config.epochs + 1
        alone = min(epoch, first_round) - 1
        return alone * self.steps_in(1) + (epoch - 1 - alone) * self.steps_in(first_round)

    @cached_property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.steps_before(self.config.epochs + 1)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up over `lr_warmup_epochs` of ID-only steps, then cosine to `final_learning_rate`, per step.

        A run shorter than its warm-up ends on the ramp.
        """
        peak, final = self.config.learning_rate, self.config.final_learning_rate
        warmup = self.config.lr_warmup_epochs * self.steps_in(1)
        if step <= warmup:
            return peak * step / warmup
        progress = (step - warmup) / (self.steps - warmup)
        return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * progress))
