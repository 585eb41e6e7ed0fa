"""BCL's momentum losses and strengths against loops over samples that follow the formulas word for
word."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.events import CheckpointReady, StepDone
from colt_core.frameworks.bcl import BCL, BCLD, BCLI, memorization_strength
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.sdclr import SDCLR
from colt_core.frameworks.simclr import SimCLR
from colt_core.training.batches import shuffled_batches
from tests.support.tiny_runs import TRAIN, config, difference, kinds, run


def bcl(num_train: int, loss_momentum: float = 0.97, variant: str = "I") -> BCL:
    framework = build_framework(config(framework="bcl", bcl_variant=variant, loss_momentum=loss_momentum), num_train)
    assert isinstance(framework, BCL)
    return framework


def slow_strengths(average: dict[int, float], num_train: int) -> list[float]:
    if not average:
        return [0.0] * num_train
    mean_of_seen = sum(average.values()) / len(average)
    m = [average.get(k, mean_of_seen) for k in range(num_train)]
    mean = sum(m) / num_train
    largest = max(abs(value - mean) for value in m)
    if largest < 1e-6:  # all are equal, as after a first batch with one ID image
        return [0.5] * num_train
    return [((value - mean) / largest + 1) / 2 for value in m]


@settings(max_examples=15)
@given(num_train=st.integers(4, 9), beta=st.sampled_from([0.0, 0.5, 0.97]), seed=st.integers(0, 10_000))
def test_averages_and_strengths_are_the_formulas(num_train: int, beta: float, seed: int) -> None:
    """Three epochs of batches of 3, a few samples missed in each, OOD samples among them with the
    same indices."""
    draw, framework = random.Random(seed), bcl(num_train, beta)
    average: dict[int, float] = {}
    for epoch in (1, 2, 3):
        framework.begin_epoch(epoch)
        every = torch.arange(num_train)
        strengths = framework.augmentation_strength(every, torch.zeros(num_train, dtype=torch.bool))
        assert strengths.tolist() == pytest.approx(slow_strengths(average, num_train), abs=1e-5)
        order = draw.sample(range(num_train), num_train)
        for start in range(0, num_train - 2, 3):
            index, loss = order[start : start + 3], [draw.uniform(1, 6) for _ in range(3)]
            is_ood = [draw.random() < 0.3 for _ in range(3)]
            framework.observe(torch.tensor(index), torch.tensor(is_ood), torch.tensor(loss))
            for k, new, ood in zip(index, loss, is_ood, strict=True):
                if not ood:
                    average[k] = beta * average[k] + (1 - beta) * new if k in average else new
    assert framework.loss_N[list(average)].tolist() == pytest.approx(list(average.values()), rel=1e-5)
    assert framework.seen_N.nonzero().squeeze(1).tolist() == sorted(average)


def test_a_worked_case() -> None:
    # mean 3, deviations -2, 1, 1, of which the largest is 2
    assert memorization_strength(torch.tensor([1.0, 4.0, 4.0])).tolist() == [0, 0.75, 0.75]


@pytest.mark.parametrize("losses", [[3.3] * 7, [0.0, 0.0], [5.0], [2.1, 2.1 * (1 + 1e-7), 2.1]])
def test_equal_losses_are_all_in_the_middle(losses: list[float]) -> None:
    """The released code divides by their spread, 0."""
    assert memorization_strength(torch.tensor(losses)).tolist() == [0.5] * len(losses)


@settings(max_examples=20)
@given(losses=st.lists(st.floats(0, 30, width=32), min_size=2, max_size=12), seed=st.integers(0, 99))
def test_strengths_rise_with_the_loss_within_0_and_1_whatever_the_order(losses: list[float], seed: int) -> None:
    m = torch.tensor(losses)
    strengths = memorization_strength(m)
    assert ((strengths >= 0) & (strengths <= 1)).all()
    assert (strengths[m.argsort()].diff() >= 0).all()
    order = torch.randperm(len(m), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(memorization_strength(m[order]), strengths[order], atol=1e-6, rtol=0)


def test_strengths_stay_through_the_epoch_in_which_losses_come_in() -> None:
    framework, nobody = bcl(3), torch.zeros(3, dtype=torch.bool)
    every = torch.arange(3)
    framework.begin_epoch(1)
    framework.observe(every, nobody, torch.tensor([1.0, 2.0, 3.0]))
    assert framework.augmentation_strength(every, nobody).tolist() == [0, 0, 0]
    framework.begin_epoch(2)
    assert framework.augmentation_strength(every, nobody).tolist() == [0, 0.5, 1]


def test_ood_samples_have_neither_history_nor_strength() -> None:
    framework = bcl(3)
    framework.observe(torch.tensor([0, 1, 2]), torch.tensor([False, True, False]), torch.tensor([1.0, 9.0, 2.0]))
    assert framework.seen_N.tolist() == [True, False, True]
    framework.begin_epoch(2)
    # Indices beyond the training part are the pool's.
    strengths = framework.augmentation_strength(torch.tensor([2, 500, 0]), torch.tensor([False, True, True]))
    assert strengths.tolist() == [1, 0, 0]
    before = framework.state_dict()["loss_N"].clone()
    framework.observe(torch.tensor([7, 8]), torch.ones(2, dtype=torch.bool), torch.tensor([1.0, 2.0]))
    assert torch.equal(framework.loss_N, before)


def test_variant_i_is_on_simclr_and_variant_d_on_sdclr() -> None:
    first, second = bcl(4), bcl(4, variant="D")
    assert isinstance(first, BCLI) and isinstance(first, SimCLR) and not isinstance(first, SDCLR)
    assert isinstance(second, BCLD) and isinstance(second, SDCLR)
    second.begin_epoch(1)  # the mask and the strengths, both
    share = 1 - float(second.pruned_backbone.mask_layer4_0_conv2.float().mean())
    assert share == pytest.approx(second.prune_share, abs=0.1)


@pytest.mark.parametrize(("variant", "base"), [("I", "simclr"), ("D", "sdclr")])
def test_it_is_its_base_in_the_first_epoch_and_parts_from_it_in_the_second(variant: str, base: str) -> None:
    boosted = run(config(framework="bcl", bcl_variant=variant, sampler="none", epochs=2))
    plain = run(config(framework=base, sampler="none", epochs=2))
    steps = [kinds(events, StepDone) for events in (boosted, plain)]
    assert difference(*([step for step in each if step.epoch == 1] for each in steps)) is None
    for ours, theirs in zip(*([step for step in each if step.epoch == 2] for each in steps), strict=True):
        assert ours.loss != theirs.loss


def test_a_run_observes_the_full_batches_of_id_images() -> None:
    events = run(config(framework="bcl", epochs=3, checkpoint_interval=1))
    state = kinds(events, CheckpointReady)[0].state["framework"]
    assert int(state["seen_N"].sum()) == 24  # 26 images in 3 batches of 8 and one of 2
    assert not state["loss_N"][~state["seen_N"]].any()
    no_images = np.empty(0, dtype=np.int64)
    for batch, step in zip(shuffled_batches(TRAIN, None, no_images, 8, 0, 1, 3), kinds(events, StepDone), strict=False):
        losses = state["loss_N"][batch.index]
        assert float(losses.mean()) == pytest.approx(step.contrastive_loss, rel=1e-5)
        assert len(losses.unique()) == 8  # each its own
