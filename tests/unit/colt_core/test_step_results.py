"""How a run reports its device, where its time went, and the results of its steps, at once or a
step later."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import pytest
import torch

from colt_core import PretrainConfig
from colt_core.batch import Batch
from colt_core.events import EpochDone, Finished, RunStarted, StepDone, Stopped
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import ViewOutputs
from colt_core.losses import distribution_contrastive, nt_xent
from colt_core.tailness import negative_tailness
from colt_core.training.device import Compute
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.objective import step_losses
from colt_core.training.pretrain import pretrain
from colt_core.training.profile import PHASES, Profile
from colt_core.training.readback import Readback
from colt_core.training.step import Step
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run, stop_after

CPU = torch.device("cpu")


def test_a_run_says_first_what_it_computes_on() -> None:
    first = next(iter(pretrain(config(precision="fp32"), TRAIN, POOL)))
    assert first == RunStarted(0, 0, "cpu", "fp32", "as configured", torch.get_num_threads())
    chosen = next(iter(pretrain(config(), TRAIN, POOL)))
    assert isinstance(chosen, RunStarted)
    in_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert chosen.precision == ("bf16" if in_bf16 else "fp32")
    assert chosen.reason.startswith("this CPU multiplies in bf16 (" if in_bf16 else "this CPU does not")


def test_a_resumed_run_says_where_it_goes_on() -> None:
    *_, checkpoint, stopped = run(config(), should_stop=stop_after(3))
    assert isinstance(stopped, Stopped)
    first = next(iter(pretrain(config(), TRAIN, POOL, resume_from=checkpoint.state)))  # type: ignore[union-attr]
    assert isinstance(first, RunStarted)
    assert (first.epoch, first.step) == (0, 3)


def test_an_epoch_tells_where_its_time_went() -> None:
    epochs = kinds(run(config()), EpochDone)
    assert all(set(event.profile) == set(PHASES) for event in epochs)
    for event in epochs:
        assert 0 < sum(event.profile.values()) <= event.seconds
        assert min(event.profile[name] for name in ("data", "forward_backward", "tailness")) > 0
    assert [event.profile["round"] > 0 for event in epochs] == [False, False, True, True]


def test_an_epoch_that_was_stopped_within_counts_what_came_before() -> None:
    told: list[Any] = []
    state = None
    added: dict[int, int] = {}
    while not told or not isinstance(told[-1], Finished):
        events = run(config(), resume_from=state, should_stop=stop_after(5))  # a round asks too
        told += events
        state = events[-2].state  # type: ignore[union-attr]
        if state["spent"]:
            for name in state["spent"]:  # so that no speed of a machine can be taken for it
                state["spent"][name] += 1000
            epoch = state["epoch"] + 1
            added[epoch] = added.get(epoch, 0) + 1000
    epochs = kinds(told, EpochDone)
    assert len(epochs) == config().epochs
    assert sum(added.values()) > 1000 * len(added)  # one epoch at least was stopped twice
    for event in epochs:
        steps = [step.seconds for step in kinds(told, StepDone) if step.epoch == event.epoch]
        assert len(steps) > 1
        before = added.get(event.epoch, 0)
        assert before + sum(steps) <= event.seconds < before + 1000
        assert all(before <= seconds < before + 1000 for seconds in event.profile.values())


def test_a_phase_counts_what_happens_inside_it_until_it_is_taken() -> None:
    profile = Profile(CPU)
    assert list(profile.each("data", iter("ab"))) == ["a", "b"]
    with profile.phase("tailness"):
        pass
    taken = profile.take()
    assert taken["data"] > 0 and taken["tailness"] > 0 and taken["round"] == 0
    assert profile.take() == dict.fromkeys(PHASES, 0.0)


def taken(number: int, began: float = 0.0) -> Step:
    batch = Batch(torch.empty(0), torch.zeros(2, dtype=torch.bool), torch.arange(2), True)
    return Step(1, number, 0.1, batch, torch.full((3,), float(number)), torch.zeros(1), None, None, began)


def test_results_arrive_in_order_and_as_late_as_asked() -> None:
    late = Readback(behind=1)
    late.send(taken(1))
    assert list(late.arrived()) == []
    late.send(taken(2))
    assert [(step.number, float(step.losses[0])) for step in late.arrived()] == [(1, 1.0)]
    assert [step.number for step in late.arrived(everything=True)] == [2]
    at_once = Readback(behind=0)
    at_once.send(taken(3))
    assert [step.number for step in at_once.arrived()] == [3]


def test_a_step_lasts_from_its_start_or_the_results_before_it_until_its_own_arrive() -> None:
    began = perf_counter() - 1000
    results = Readback(behind=1)
    for number in (1, 2):  # a device that takes long: both were started long ago
        results.send(taken(number, began))
    (first,), (second,) = results.arrived(), results.arrived(everything=True)
    assert first.seconds >= 1000 and second.seconds < 500
    assert first.seconds + second.seconds == pytest.approx(perf_counter() - began, abs=60)


@pytest.fixture
def reading_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU."""
    monkeypatch.setattr(Compute, "reads_behind", 1)


@pytest.mark.parametrize("settings", [{}, {"framework": "bcl"}, {"sampler": "none", "match_steps": True}])
def test_read_late_a_run_is_the_same(settings: dict[str, Any], request: pytest.FixtureRequest) -> None:
    at_once = run(config(**settings))
    request.getfixturevalue("reading_late")
    assert difference(run(config(**settings)), at_once) is None


@pytest.mark.usefixtures("reading_late")
def test_read_late_a_stopped_run_leaves_nothing_unread() -> None:
    whole = run(config())
    *before, checkpoint, _ = run(config(), should_stop=stop_after(6))
    after = run(config(), resume_from=checkpoint.state)  # type: ignore[union-attr]
    assert isinstance(after[-1], Finished)
    assert difference(before + after, whole) is None


@pytest.mark.usefixtures("reading_late")
def test_read_late_a_diverged_run_writes_no_checkpoint_of_it() -> None:
    *_, checkpoint, _ = run(config(epochs=3, checkpoint_interval=1), should_stop=stop_after(3))
    checkpoint.state["framework"]["projector.fc1.weight"][0, 0] = math.nan  # type: ignore[union-attr]
    seen = []
    with pytest.raises(TrainingDiverged, match="epoch 1, step 4"):
        for event in pretrain(config(epochs=3, checkpoint_interval=1), TRAIN, POOL, resume_from=checkpoint.state):  # type: ignore[union-attr]
            seen.append(event)
    assert [type(event) for event in seen] == [RunStarted]
    assert not kinds(seen, StepDone)


@pytest.mark.parametrize(
    "settings", [{}, {"distribution_denominator": "cross_domain"}, {"distribution_loss_weight": 0}]
)
def test_a_steps_losses_and_tailness_are_those_of_the_functions_alone(settings: dict[str, Any]) -> None:
    made = PretrainConfig.resolve({"backbone": "resnet10", "width": 4, **settings})
    z = torch.nn.functional.normalize(torch.randn(24, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    is_ood = torch.arange(12) % 3 == 0
    own = build_framework(made, 12).loss(ViewOutputs(z), Batch(torch.empty(0), is_ood, torch.arange(12), True), 0.2)
    losses = step_losses(own, z, is_ood, made)
    contrastive, per_sample = nt_xent(z, made.temperature)
    torch.testing.assert_close(losses.contrastive, contrastive)
    torch.testing.assert_close(own.per_sample, per_sample)
    if made.distribution_loss_weight:
        apart = distribution_contrastive(z, is_ood, made.temperature, made.distribution_denominator)
        torch.testing.assert_close(losses.numbers()[2], apart)
        torch.testing.assert_close(losses.total, contrastive + made.distribution_loss_weight * apart)
    else:
        assert losses.distribution is None and math.isnan(losses.numbers()[2])
    before = own.probability.clone()
    shared = negative_tailness(z, made.temperature, 3, is_ood, True, own.probability)
    torch.testing.assert_close(shared, negative_tailness(z, made.temperature, 3))
    assert torch.equal(own.probability, before)  # the gradient needs it as it was
