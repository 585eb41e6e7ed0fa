"""A framework and a sampler that only tests know. `register` makes them kinds; importing this costs
no torch."""

from __future__ import annotations

from pydantic import Field

from colt_core.frameworks.kinds import FrameworkSettings, frameworks
from colt_core.samplers.kinds import RepeatedRoundSettings, samplers


class NoisySettings(FrameworkSettings):
    """SimCLR on noisy views. Only for tests."""

    kind = "noisy"
    title = "Noisy SimCLR"
    implementation = "tests.support.toy_kinds.noisy:Noisy"

    noise: float = Field(0.1, ge=0, le=1, description="Share of another view that is added.")


class LastSettings(RepeatedRoundSettings):
    """The last images of the pool."""

    kind = "last"
    title = "Last"
    implementation = "tests.support.toy_kinds.last:Last"

    skip: int = Field(0, ge=0, description="Images at the end that are left out.")


def register() -> None:
    """Add both to the registries of this process."""
    frameworks.register(NoisySettings)
    samplers.register(LastSettings)
