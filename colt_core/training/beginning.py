"""What a run is before its first sampling round. This module imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from colt_core.config import PretrainConfig
from colt_core.kinds import FieldMark, has_mark
from colt_core.training.schedule import Schedule

# A resumed run may change these, since it continues as well on another device. But another device,
# or another number of ranks, rounds differently.
_ROUNDING = {"device", "num_processes"}


@dataclass(frozen=True)
class Beginning:
    """The epochs before the first sampling round, also called warm-up.

    Two runs on the same training images with equal beginnings are equal bit for bit so far. This
    includes losses, tailness, weights and the optimiser. The pool is not read yet.
    """

    epochs: int
    steps: int
    settings: Mapping[str, Any]  # all that acts on these epochs, as JSON values

    @classmethod
    def of(cls, config: PretrainConfig, num_train: int) -> Self | None:
        """The beginning of a run; None if it has no OOD images and no longer epochs in their place.

        Learning rates depend on the steps of the whole run. So two runs whose budgets make epochs
        of different lengths are different from their first step on.

        Args:
            num_train: images of the training part.
        """
        starts = (config.sampler.long_epochs(config.epochs), config.round_epochs())
        first = min((epochs[0] for epochs in starts if epochs), default=None)
        if first is None:
            return None
        schedule = Schedule(config, num_train)
        later = {
            name for name, field in type(config).model_fields.items() if has_mark(field, FieldMark.FROM_FIRST_ROUND)
        }
        later |= {"sampler", *type(config.sampler).model_fields, *(config.free_at_resume() - _ROUNDING)}
        said = {name: value for name, value in config.model_dump(mode="json").items() if name not in later}
        lengths = {"num_train": num_train, "first_round": first, "steps": schedule.steps}
        return cls(first - 1, schedule.steps_before(first), said | lengths)

    @cached_property
    def digest(self) -> str:
        """Equal for equal beginnings, and for no others: 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def differences(self, other: Beginning) -> list[str]:
        """What differs in another one, in words."""
        names = sorted(self.settings.keys() | other.settings.keys())
        return [
            f"{name} was {other.settings.get(name)!r} and is {self.settings.get(name)!r}"
            for name in names
            if self.settings.get(name) != other.settings.get(name)
        ]
