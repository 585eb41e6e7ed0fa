"""From a configuration to its sampler."""

from __future__ import annotations

from colt_core.config import PretrainConfig
from colt_core.samplers.protocol import Sampler


def build_sampler(config: PretrainConfig) -> Sampler | None:
    """The sampler that a configuration names; None for one that picks nothing."""
    if not config.sampler.picks:
        return None
    sampler: Sampler = config.sampler.load().of(config)
    return sampler
