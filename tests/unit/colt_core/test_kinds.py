"""A new framework and a new sampler: defined here alone, registered, configured, trained, resumed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pydantic import Field, ValidationError
from torch import Tensor

from colt_core.config import PretrainConfig, config_schema
from colt_core.events import CheckpointReady, RoundDone
from colt_core.frameworks.framework import ViewOutputs
from colt_core.frameworks.kinds import FrameworkSettings, frameworks
from colt_core.frameworks.simclr import SimCLR
from colt_core.kinds import Registry, Settings
from colt_core.samplers.kinds import RepeatedRoundSettings, samplers
from colt_core.samplers.protocol import RoundInputs
from tests.support.tiny_runs import config, difference, kinds, run, stop_after


class Noisy(SimCLR):
    """SimCLR, with noise on its views whose strength falls from step to step."""

    def __init__(self, backbone: torch.nn.Module, projector: torch.nn.Module, noise: float) -> None:
        super().__init__(backbone, projector)
        self.strength = torch.nn.Buffer(torch.tensor(noise))

    def forward(self, views_2B3SS: Tensor) -> ViewOutputs:
        return super().forward(views_2B3SS + self.strength * views_2B3SS.flip(0))

    def after_step(self, outputs: ViewOutputs) -> None:
        self.strength.mul_(0.9)


class NoisySettings(FrameworkSettings):
    """SimCLR on noisy views. Only for this test."""

    kind = "noisy"
    title = "Noisy SimCLR"
    implementation = f"{__name__}:Noisy"

    noise: float = Field(0.1, ge=0, le=1, description="Share of another view that is added.")


class Last:
    """Takes the last images of the pool."""

    needs_measures = False

    def __init__(self, skip: int) -> None:
        self.skip = skip

    @classmethod
    def of(cls, made: PretrainConfig) -> Last:
        assert isinstance(made.sampler, LastSettings)
        return cls(made.sampler.skip)

    def select(self, inputs: RoundInputs) -> np.ndarray:
        end = len(inputs.ood_z) - self.skip
        return np.arange(end - inputs.budget, end)


class LastSettings(RepeatedRoundSettings):
    """The last images of the pool."""

    kind = "last"
    title = "Last"
    implementation = f"{__name__}:Last"

    skip: int = Field(0, ge=0, description="Images at the end that are left out.")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for registry, settings in ((frameworks, NoisySettings), (samplers, LastSettings)):
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
        registry.register(settings)
    yield


@pytest.mark.usefixtures("toys")
def test_new_kinds_are_configured_by_flat_names() -> None:
    made = PretrainConfig.resolve({"framework": "noisy", "sampler": "last", "noise": 0.5, "epochs": 200})
    assert (made.framework, made.sampler.kind) == (NoisySettings(noise=0.5), "last")
    assert made.model_dump()["skip"] == 0
    assert PretrainConfig.from_stored(made.model_dump(mode="json")) == made
    with pytest.raises(ValidationError, match="only framework 'noisy' reads it, and this run's is 'simclr'"):
        PretrainConfig.resolve({"noise": 0.5})
    schema = config_schema()["properties"]
    assert schema["framework"]["enum"][-1] == "noisy" and schema["sampler"]["enum"][-1] == "last"
    assert schema["noise"]["description"].startswith("Read by framework noisy. Share of another view")


@pytest.mark.usefixtures("toys")
def test_new_kinds_train_and_resume_exactly() -> None:
    made = config(framework="noisy", sampler="last", noise=0.5, skip=2)
    whole = run(made)
    assert kinds(whole, RoundDone)[0].selected.tolist() == list(range(4, 28))
    before = run(made, should_stop=stop_after(10))
    assert difference(before[:-2] + run(made, resume_from=before[-2].state), whole) is None
    strength = kinds(whole, CheckpointReady)[-1].state["framework"]["strength"]
    assert float(strength) == pytest.approx(0.5 * 0.9**22, rel=1e-4)
    assert difference(whole, run(config(framework="noisy", sampler="last", noise=0.1, skip=2)))


def test_a_name_is_taken_once() -> None:
    class First(Settings):
        kind = "one"

    class Second(Settings):
        kind = "one"

    registry: Registry[Settings] = Registry("toy")
    registry.register(First)
    registry.register(First)
    with pytest.raises(ValueError, match="there is a toy 'one' already"):
        registry.register(Second)
    assert list(registry) == ["one"] and registry["one"] is First
