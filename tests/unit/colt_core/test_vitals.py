"""The guards of a training: impossible numbers end it, and a collapse is reported at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, EpochDone, Event, Finished, StepDone, Warned
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import ContrastiveLoss, ViewOutputs
from colt_core.frameworks.kinds import FrameworkSettings, frameworks
from colt_core.frameworks.simclr import SimCLR
from colt_core.models import Backbone
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.pretrain import pretrain
from colt_core.training.vitals import spread
from tests.support.tiny_runs import TRAIN, config, difference, images, kinds, run, stop_after

BROKEN = "backbone.layer4.0.conv1.weight"
FRAMEWORKS: dict[str, dict[str, Any]] = {
    **{kind: {"framework": kind} for kind in ("simclr", "sdclr", "bcl")},
    "moco": {"framework": "moco", "queue_size": 16},
}
BLANK = np.zeros_like(TRAIN)


class BrokenSettings(FrameworkSettings):
    """SimCLR with a computation that goes wrong once."""

    kind = "broken"
    title = "Broken"
    implementation = f"{__name__}:Broken"

    at_step: int
    exponent: int | None  # None: NaN


class Broken(SimCLR):
    """One step leaves a tap of one weight's gradient as the memory was."""

    def __init__(self, backbone: Backbone, projector: nn.Module, at_step: int, exponent: int | None) -> None:
        super().__init__(backbone, projector)
        self._left, self._value = at_step, math.nan if exponent is None else 10.0**exponent
        backbone.get_parameter(BROKEN.removeprefix("backbone.")).register_hook(self._break)

    def _break(self, gradient: Tensor) -> Tensor:
        self._left -= 1
        if self._left:
            return gradient
        broken = gradient.clone()
        broken[0, 0, 0, 0] = self._value
        return broken


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frameworks, "_classes", dict(frameworks._classes))
    frameworks.register(BrokenSettings)


def collect(made: PretrainConfig, train: np.ndarray = TRAIN, **options: Any) -> tuple[list[Event], str | None]:
    """The events, and the error that ended the run."""
    events: list[Event] = []
    try:
        events.extend(pretrain(made, train, **options))
    except TrainingDiverged as error:
        return events, str(error)
    return events, None


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("exponent", "words"), [(None, "nan"), (34, "inf"), (15, "1e+15")])
def test_an_impossible_gradient_ends_the_run_and_is_named(precision: str, exponent: int | None, words: str) -> None:
    made = config(
        sampler="none", framework="broken", at_step=6, exponent=exponent, precision=precision, checkpoint_interval=1
    )
    events, error = collect(made)
    assert error is not None and error.startswith(f"the gradient of {BROKEN} has a norm of {words} in epoch 2, step 6")
    assert f"in {precision}" in error and "had not risen" in error and "learning_rate" not in error
    assert [event.step for event in kinds(events, StepDone)] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]
    (checkpoint,) = kinds(events, CheckpointReady)
    assert all(value.abs().max() < 100 for value in checkpoint.state["framework"].values())  # type: ignore[union-attr]


def test_a_learning_rate_is_blamed_when_the_loss_rose() -> None:
    settings = {"learning_rate": 100, "weight_decay": 0.05, "lr_warmup_epochs": 0, "checkpoint_interval": 20}
    made = config(sampler="none", **settings, epochs=20, batch_size=32, projection_dim=32)
    _, error = collect(made, images(96, seed=1))
    assert error is not None and "weights are" in error
    assert error.endswith("The loss had risen before: try a lower learning_rate or a longer lr_warmup_epochs")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_run_that_tells_no_image_from_another_warns_once_and_at_once(framework: str) -> None:
    made = config(**FRAMEWORKS[framework], sampler="none", checkpoint_interval=1)
    events, error = collect(made, BLANK)
    assert error is None
    (warned,) = kinds(events, Warned)
    assert isinstance(warned, Warned) and warned.warning.code == "collapse"
    assert warned.epoch <= 2  # the warm-up is one epoch
    place = events.index(warned)
    assert isinstance(events[place - 1], EpochDone) and isinstance(events[place + 1], CheckpointReady)
    assert f"After epoch {warned.epoch}, " in warned.warning.detail


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_run_that_learns_does_not_warn(framework: str) -> None:
    made = config(**FRAMEWORKS[framework], sampler="none")
    events, error = collect(made)
    assert error is None and not kinds(events, Warned) and isinstance(events[-1], Finished)


def test_a_resumed_run_does_not_warn_again() -> None:
    made = config(sampler="none")
    whole, _ = collect(made, BLANK)
    for asked in (3, 10):  # before the warning, and after it
        *before, checkpoint, _ = collect(made, BLANK, should_stop=stop_after(asked))[0]
        after, _ = collect(made, BLANK, resume_from=checkpoint.state)  # type: ignore[union-attr]
        assert difference([*before, *after[1:]], whole) is None


def test_a_checkpoint_of_an_older_version_has_no_vitals_and_resumes() -> None:
    *_, checkpoint, _ = run(config(sampler="none"), should_stop=stop_after(4))
    state: Any = {key: value for key, value in checkpoint.state.items() if key != "vitals"}  # type: ignore[union-attr]
    assert isinstance(run(config(sampler="none"), resume_from=state)[-1], Finished)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_loss_of_a_constant_output_is_the_frameworks_own(framework: str) -> None:
    made = config(**FRAMEWORKS[framework], sampler="none")
    net = build_framework(made, 26)
    views = torch.zeros(16, 3, 16, 16)
    batch = Batch(views, torch.zeros(8, dtype=torch.bool), torch.arange(8), True)
    z = torch.nn.functional.normalize(torch.ones(16, 8), dim=1)
    outputs = net(views)
    outputs = type(outputs)(**dict.fromkeys(outputs.__slots__, z) | {"z": z})
    for _ in range(2):  # a queue is then full of it
        net.after_step(outputs, batch)
    found = net.loss(outputs, batch, made.temperature).mean
    assert net.constant_loss(8) == pytest.approx(float(found), rel=1e-5)


def test_of_another_loss_that_of_a_constant_output_is_not_known() -> None:
    class Own(SimCLR):
        def loss(self, outputs: ViewOutputs, batch: Batch, temperature: float) -> ContrastiveLoss:
            return ContrastiveLoss(outputs.z.sum(), outputs.z.sum(dim=1))

    made = config(sampler="none")
    net = build_framework(made, 26)
    assert Own(net.backbone, net.projector).constant_loss(8) is None


def test_the_spread_is_the_mean_squared_distance_from_each_views_mean() -> None:
    z = torch.nn.functional.normalize(torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    views = z.view(2, 6, 5)
    expected = torch.stack([((view - view.mean(0)) ** 2).sum(1).mean() for view in views]).mean()
    torch.testing.assert_close(spread(z), expected)
    assert spread(torch.cat([z[:1].expand(6, 5), z[7:8].expand(6, 5)])) < 1e-12  # two branches, each constant
