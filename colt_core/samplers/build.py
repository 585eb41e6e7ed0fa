"""Builds a configuration's sampler."""

from __future__ import annotations

from colt_core.config import PretrainConfig
from colt_core.samplers.protocol import Sampler


def build_sampler(config: PretrainConfig) -> Sampler | None:
    """The sampler of a configuration, or None if it picks nothing."""
    if not config.sampler.picks:
        return None
    sampler: Sampler = config.sampler.load().of(config)
    return sampler
