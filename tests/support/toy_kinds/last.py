"""The toy sampler."""

from __future__ import annotations

from typing import Self

import numpy as np

from colt_core.config import PretrainConfig
from colt_core.samplers.protocol import RoundInputs, Sampler
from tests.support.toy_kinds import LastSettings


class Last(Sampler):
    """Takes the last images of the pool."""

    def __init__(self, skip: int) -> None:
        self.skip = skip

    @classmethod
    def of(cls, config: PretrainConfig) -> Self:
        assert isinstance(config.sampler, LastSettings)
        return cls(config.sampler.skip)

    def select(self, inputs: RoundInputs) -> np.ndarray:
        end = len(inputs.ood_z) - self.skip
        return np.arange(end - inputs.budget, end)
