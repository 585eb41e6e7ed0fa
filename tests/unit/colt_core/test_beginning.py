"""Runs that differ only in what acts from the first sampling round on have one beginning."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, Event, RoundDone
from colt_core.snapshot import DataSizes, Snapshot
from colt_core.training.beginning import Beginning
from colt_core.training.checkpoint import take_over
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.pretrain import pretrain
from colt_core.training.step import Step
from colt_core.training.vitals import LARGEST_GRADIENT, Vitals
from tests.support.tiny_runs import POOL, TRAIN, config, difference, images, kinds, run, stop_after

SIZES = DataSizes(num_train=len(TRAIN), num_pool=len(POOL), image_size=16)
STEPS = 8  # of the two epochs before the first round
OTHER_POOL = images(40, seed=9)
ODD = {"checkpoint_interval": 3}  # the end of the beginning is no multiple of it


def of(made: PretrainConfig) -> Beginning:
    beginning = Beginning.of(made, len(TRAIN))
    assert beginning is not None
    return beginning


def end_of(events: list[Event]) -> int:
    """Where the beginning's last checkpoint is among the events."""
    return next(n for n, event in enumerate(events) if isinstance(event, CheckpointReady) and event.epoch == 2)


def of_checkpoint(events: list[Event]) -> Snapshot:
    event = events[end_of(events)]
    assert isinstance(event, CheckpointReady)
    return event.state


ARMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"sampler": "random"}, {}),
    ({"sampler": "mak", "mak_passes": 2}, {"framework": "moco", "queue_size": 16}),
    ({"sampler": "none", "match_steps": True}, {"framework": "sdclr"}),
    (
        {"distribution_loss_weight": 0, "ood_in_negatives": False, "num_clusters": 4, "sample_interval": 2},
        {"framework": "bcl", "bcl_variant": "D"},
    ),
]


@pytest.mark.parametrize(("arm", "common"), ARMS)
def test_a_run_with_the_beginning_of_another_ends_bit_for_bit_as_if_alone(
    arm: dict[str, Any], common: dict[str, Any]
) -> None:
    """Losses, tailness, picks and the last state are compared; also with another pool."""
    first, second = config(**common, **ODD), config(**common, **ODD, **arm)
    trained, pool = run(first), OTHER_POOL if arm.get("sampler") == "mak" else POOL
    alone = list(pretrain(second, TRAIN, pool))[1:]
    end = end_of(trained)
    assert difference(trained[:end], alone[: end_of(alone)]) is None
    before = deepcopy(of_checkpoint(trained))
    taken = take_over(of_checkpoint(trained), second, SIZES | {"num_pool": len(pool) if second.sampler.picks else None})
    assert difference(taken, of_checkpoint(alone)) is None
    rest = list(pretrain(second, TRAIN, pool, resume_from=taken))[1:]
    assert difference(rest, alone[end_of(alone) + 1 :]) is None
    assert difference(before, of_checkpoint(trained)) is None, "the other run's state is left as it was"


def test_it_may_begin_in_the_middle_of_the_beginning() -> None:
    stopped = run(config(), should_stop=stop_after(3))
    (half,) = kinds(stopped, CheckpointReady)
    second = config(sampler="random")
    rest = run(second, resume_from=take_over(half.state, second, SIZES))  # type: ignore[attr-defined]
    assert difference(rest[-2], run(second)[-2]) is None


# Each with a value that is not that of `config`.
LATER: dict[str, Any] = {
    "distribution_loss_weight": 0.5,
    "distribution_denominator": "cross_domain",
    "ood_in_negatives": False,
    "num_clusters": 2,
    "kmeans_restarts": 3,
    "sample_interval": 2,
    "cluster_temperature": 0.5,
    "budget_remainder": "last",
    "ood_neighbors": 3,
    "cluster_order": "tail_first",
    "pool_refresh": "candidates",
    "sample_budget": 25,  # the same number of steps
    "checkpoint_interval": 1,
    "group_thresholds": {"low": 1, "high": 2},
}


@pytest.mark.parametrize("name", LATER)
def test_what_acts_later_changes_nothing_before(name: str) -> None:
    other = config(**{name: LATER[name]})
    assert difference(of(config()), of(other)) is None and of(config()).digest == of(other).digest
    first, second = (run(made, should_stop=stop_after(STEPS)) for made in (config(), other))
    states = [kinds(events, CheckpointReady)[-1].state for events in (first, second)]  # type: ignore[attr-defined]
    assert states[0]["step"] == STEPS
    assert difference(states[0] | {"config": {}}, states[1] | {"config": {}}) is None


def test_every_other_setting_counts() -> None:
    """A new setting counts, unless it is marked and added to LATER."""
    left_out = set(config().model_dump()) - set(of(config()).settings)
    # As many processes compute the same on any number of machines (tests/integration/test_hosts).
    assert left_out == {*LATER, "sampler", "preset", "warmup_epochs", "neighbor_search", "num_hosts"}
    for changed in (
        {"seed": 1},
        {"epochs": 5},
        {"warmup_epochs": 1},
        {"tailness_momentum": 0.6},
        {"top_k": 5},
        {"temperature": 0.3},
        {"framework": "moco"},
        {"device": "cpu"},
        {"sample_budget": 40},  # more steps, so other learning rates
    ):
        assert of(config()).digest != of(config(**changed)).digest, changed


def test_a_run_without_longer_epochs_shares_none() -> None:
    assert Beginning.of(config(sampler="none"), len(TRAIN)) is None
    assert of(config(sampler="none", match_steps=True)).digest == of(config()).digest
    assert (of(config()).epochs, of(config()).steps) == (2, STEPS)


@pytest.mark.parametrize(
    ("changed", "sizes", "told"),
    [
        ({"sample_budget": 40}, {}, "steps was 22 and is 26"),
        ({"temperature": 0.3, "seed": 5}, {}, "seed was 0 and is 5; temperature was 0.2 and is 0.3"),
        ({}, {"num_train": 27}, "num_train was 26 and is 27"),
        ({}, {"image_size": 32}, "image_size was 16 and is 32"),
        ({"sampler": "none"}, {}, "shares no beginning"),
    ],
)
def test_another_beginning_is_refused_and_says_what_differs(
    changed: dict[str, Any], sizes: dict[str, int], told: str
) -> None:
    state = of_checkpoint(run(config()))
    with pytest.raises(ValueError, match=told):
        take_over(state, config(**changed), SIZES | sizes)  # type: ignore[typeddict-item]


def test_a_state_after_the_first_round_is_refused() -> None:
    last = kinds(run(config()), CheckpointReady)[-1]
    with pytest.raises(ValueError, match="of epoch 4, and the beginning ends with epoch 2"):
        take_over(last.state, config(sampler="random"), SIZES)  # type: ignore[attr-defined]
    asked = run(config(), should_stop=lambda: False)
    assert isinstance(asked[end_of(asked) + 1], RoundDone)
    state = of_checkpoint(asked) | {"rounds": 1}
    with pytest.raises(ValueError, match="the beginning ends"):
        take_over(state, config(sampler="random"), SIZES)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="format 99"):
        take_over(of_checkpoint(asked) | {"format": 99}, config(), SIZES)  # type: ignore[arg-type]


def test_the_limit_of_a_gradient_depends_on_alpha_with_ood_images_only() -> None:
    """Else two runs that differ in alpha could end before the first round at different steps."""
    made = config(distribution_loss_weight=9.0, temperature=1.0)
    nothing = torch.zeros(2, dtype=torch.int64)
    for distribution, ends in ((np.nan, True), (1.0, False)):
        step = Step(
            epoch=1,
            number=1,
            learning_rate=0.1,
            batch=Batch(torch.zeros(2, 3, 4, 4), nothing.bool(), nothing, True),
            losses=torch.tensor([1.0, 1.0, distribution]),
            health=torch.tensor([0.5, 2 * LARGEST_GRADIENT]),
            raw_tailness=None,
            per_sample_loss=None,
            began=0.0,
        )
        vitals = Vitals(made, in_bf16=False)
        if ends:
            with pytest.raises(TrainingDiverged):
                vitals.observe(step, ["w"], None)
        else:
            vitals.observe(step, ["w"], None)
