"""The cosine schedule of the temperature."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, EpochDone, StepDone
from colt_core.frameworks.framework import Framework
from colt_core.losses import distribution_contrastive
from colt_core.tailness import negative_tailness
from colt_core.training import objective, pretrain
from colt_core.training.schedule import Schedule
from tests.support.tiny_runs import config, difference, kinds, run, stop_after

COSINE = {"temperature_schedule": "cosine", "epochs": 10, "warmup_epochs": 2, "sample_interval": 4}


def test_it_is_the_published_curve_by_finished_epochs() -> None:
    """Published: 0.1 to 1, a period of 400 of 2000 epochs."""
    schedule = Schedule(PretrainConfig.resolve({"temperature_schedule": "cosine"}), 1000)
    for epoch in (1, 2, 101, 201, 400, 401, 1401, 2000):
        expected = 0.1 + (1.0 - 0.1) / 2 * (1 + math.cos(2 * math.pi * (epoch - 1) / 400))
        assert schedule.temperature(epoch) == pytest.approx(expected, rel=1e-12)
    taus = [schedule.temperature(epoch) for epoch in range(1, 2001)]
    assert sum(taus) / 2000 == pytest.approx(0.55)
    assert Schedule(PretrainConfig.resolve({"temperature": 0.3}), 1000).temperature(7) == 0.3


@pytest.mark.parametrize(
    ("settings", "pointer", "told"),
    [
        ({"temperature_low": 0.1}, "temperature_low", "only temperature_schedule 'cosine' reads it"),
        ({"temperature_high": 0.9}, "temperature_high", "only temperature_schedule 'cosine' reads it"),
        (COSINE | {"temperature_low": 0.6, "temperature_high": 0.5}, "temperature_low", "at most temperature_high"),
        ({"temperature_schedule": "cosine", "epochs": 9}, "temperature_schedule", "set epochs to 10 or more"),
        ({"temperature_schedule": "cosine", "temperature_low": 0}, "temperature_low", "greater than or equal"),
        ({"temperature_schedule": "linear"}, "temperature_schedule", "'constant' or 'cosine'"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_set(settings: dict[str, Any], pointer: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PretrainConfig.resolve(settings)
    assert [(error["loc"], told in error["msg"]) for error in refused.value.errors()] == [((pointer,), True)]


def test_defaults_are_filled_in_and_come_back_from_what_was_stored() -> None:
    made = PretrainConfig.resolve({"temperature_schedule": "cosine"})
    assert (made.temperature_low, made.temperature_high) == (0.1, 1.0)
    assert PretrainConfig.from_stored(made.model_dump()) == made
    older = {
        name: value for name, value in PretrainConfig().model_dump().items() if not name.startswith("temperature_")
    }
    assert PretrainConfig.from_stored(older) == PretrainConfig()


def test_only_the_contrastive_loss_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[float]] = {"loss": [], "tailness": [], "distribution": []}
    own_loss = Framework.loss

    def loss(self: Framework, outputs: Any, batch: Any, temperature: float) -> Any:
        seen["loss"].append(temperature)
        return own_loss(self, outputs, batch, temperature)

    def tailness(z: torch.Tensor, temperature: float, *others: Any) -> torch.Tensor:
        seen["tailness"].append(temperature)
        found = negative_tailness(z, temperature, *others)
        torch.testing.assert_close(found, negative_tailness(z, temperature, *others[:3]))  # of its own softmax
        return found

    def distribution(z: torch.Tensor, is_ood: torch.Tensor, temperature: float, *others: Any) -> torch.Tensor:
        seen["distribution"].append(temperature)
        found = distribution_contrastive(z, is_ood, temperature, *others)
        torch.testing.assert_close(found, distribution_contrastive(z, is_ood, temperature, others[0]))
        return found

    monkeypatch.setattr(Framework, "loss", loss)
    monkeypatch.setattr(pretrain, "negative_tailness", tailness)
    monkeypatch.setattr(objective, "distribution_contrastive", distribution)
    made = config(**COSINE)
    steps = kinds(run(made), StepDone)
    assert seen["loss"] == [Schedule(made, 26).temperature(step.epoch) for step in steps]
    assert {round(tau, 6) for tau in seen["loss"]} == {0.1, 1.0}  # ten epochs: half periods of one epoch
    assert set(seen["tailness"]) == set(seen["distribution"]) == {0.2}


def test_equal_bounds_are_the_constant_temperature_for_the_control() -> None:
    flat = run(config(**COSINE, temperature_low=0.2, temperature_high=0.2))
    constant = run(config(**{**COSINE, "temperature_schedule": "constant"}))
    of_both = [[event for event in events if isinstance(event, StepDone | EpochDone)] for events in (flat, constant)]
    assert difference(*of_both) is None


def test_it_resumes_bit_for_bit_within_an_epoch() -> None:
    made = config(**COSINE, framework="gh", checkpoint_interval=10)
    whole = run(made)
    stopped = run(made, should_stop=stop_after(45))
    (checkpoint,) = kinds(stopped[-2:], CheckpointReady)
    rest = run(made, resume_from=checkpoint.state)
    assert difference(rest, whole[len(whole) - len(rest) :]) is None
