"""A run's steps, epochs, learning rates and temperatures, all known at its start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from colt_core.config import TEMPERATURE_PERIODS, PretrainConfig


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Batches of an epoch.

    The last one may be short. A single image would have no negatives, so it is left out.
    """
    full, rest = divmod(num_images, batch_size)
    return full + (rest >= 2)


@dataclass(frozen=True)
class Schedule:
    """The schedule of one run over `num_train` ID images. Epochs and steps count from 1."""

    config: PretrainConfig
    num_train: int

    @cached_property
    def _first_long_epoch(self) -> int:
        """The first epoch with the steps of N + K images.

        It has K OOD images or, with `match_steps`, as many steps without them.
        """
        epochs = self.config.epochs
        long = self.config.sampler.long_epochs(epochs)
        return long[0] if long else epochs + 1

    def images(self, epoch: int, picked: int) -> int:
        """Images that an epoch trains on, ID and OOD. An image used twice counts twice.

        Args:
            epoch: 1-based.
            picked: images that the last sampling round picked; 0 before the first. If they are
                fewer than K, the epoch still has the steps of N + K images.
        """
        num_images, batch_size = self.num_train + picked, self.config.batch_size
        passes, more_batches = divmod(self.steps_in(epoch), steps_per_epoch(num_images, batch_size))
        left_out = num_images % batch_size == 1
        return passes * (num_images - left_out) + more_batches * batch_size

    def steps_in(self, epoch: int) -> int:
        """Optimiser steps of an epoch."""
        more = self.config.sampler.added_images() if epoch >= self._first_long_epoch else 0
        return steps_per_epoch(self.num_train + more, self.config.batch_size)

    def steps_before(self, epoch: int) -> int:
        """Optimiser steps of all earlier epochs together."""
        alone = min(epoch, self._first_long_epoch) - 1
        return alone * self.steps_in(1) + (epoch - 1 - alone) * self.steps_in(self._first_long_epoch)

    @cached_property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.steps_before(self.config.epochs + 1)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up over `lr_warmup_epochs` of ID-only steps, then cosine decay, per step.

        The cosine ends at `final_learning_rate`. A run shorter than its warm-up ends during the
        warm-up.
        """
        peak, final = self.config.learning_rate, self.config.final_learning_rate
        warmup = self.config.lr_warmup_epochs * self.steps_in(1)
        if step <= warmup:
            return peak * step / warmup
        progress = (step - warmup) / (self.steps - warmup)
        return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * progress))

    def temperature(self, epoch: int) -> float:
        """tau of the contrastive loss in an epoch.

        `temperature_schedule: cosine` is that of Kukleva et al., ICLR 2023:
        lo + (hi - lo) / 2 * (1 + cos(2 pi e / T)).

        e counts finished epochs. All steps of an epoch have one tau, and the first epoch has
        `temperature_high`. The period T is a fifth of the run.
        """
        config = self.config
        low, high = config.temperature_low, config.temperature_high
        if low is None or high is None:
            return config.temperature
        turn = TEMPERATURE_PERIODS * (epoch - 1) / config.epochs
        return low + (high - low) / 2 * (1 + math.cos(2 * math.pi * turn))
