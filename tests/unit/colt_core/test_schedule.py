"""The calendar of a run: steps, images, learning rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from colt_core.config import PretrainConfig
from colt_core.samplers.kinds import samplers
from colt_core.seeding import generator, stream_seed
from colt_core.training.batches import shuffled_batches
from colt_core.training.schedule import Schedule, steps_per_epoch


def config(**settings: object) -> PretrainConfig:
    return PretrainConfig.from_stored(
        {"sampler": "none", "epochs": 10, "batch_size": 8, "lr_warmup_epochs": 2, "learning_rate": 1.0, **settings}
    )


@pytest.mark.parametrize(("images", "steps"), [(16, 2), (17, 2), (18, 3), (8, 1), (9, 1), (10, 2)])
def test_a_lone_last_image_makes_no_step(images: int, steps: int) -> None:
    assert steps_per_epoch(images, 8) == steps


def test_the_published_cifar_run() -> None:
    schedule = Schedule(PretrainConfig.resolve({"preset": "cifar10-lt"}), num_train=11_165)
    assert len(schedule.config.round_epochs()) == 76
    assert (schedule.steps_in(100), schedule.steps_in(101)) == (22, 42)
    assert schedule.steps == 100 * 22 + 1900 * 42
    # Ten epochs of ID images warm up, not of the longer ones that end the run.
    rates = [schedule.learning_rate(step) for step in (22, 220, 221, schedule.steps)]
    assert rates == pytest.approx([0.05, 0.5, 0.5, 1e-6], rel=1e-6)
    assert rates[2] < rates[1]


@settings(max_examples=40)
@given(
    num_train=st.integers(8, 60),
    budget=st.integers(1, 40),
    warmup=st.integers(1, 9),
    interval=st.integers(1, 5),
    sampler=st.sampled_from(list(samplers)),
)
def test_steps_are_those_that_the_batches_make(
    num_train: int, budget: int, warmup: int, interval: int, sampler: str
) -> None:
    made = config(sampler=sampler, warmup_epochs=warmup, sample_interval=interval, sample_budget=budget)
    schedule = Schedule(made, num_train)
    images, pool = (np.zeros((count, 3, 1, 1), dtype=np.uint8) for count in (num_train, budget))
    steps, selected = 0, np.empty(0, dtype=np.int64)
    for epoch in range(1, 11):
        if epoch in made.round_epochs():
            selected = np.arange(budget)
        assert schedule.steps_before(epoch) == steps
        batches = list(shuffled_batches(images, pool, selected, 8, 0, epoch, schedule.steps_in(epoch)))
        assert len(batches) == schedule.steps_in(epoch)
        assert all(batch.first_pass and len(batch.index) >= 2 for batch in batches)
        trained_on = schedule.images(epoch, len(selected))
        assert sum(len(batch.index) for batch in batches) == trained_on
        assert num_train + len(selected) - trained_on in {0, 1}  # but for one left on its own
        steps += len(batches)
    assert schedule.steps == steps


def test_the_learning_rate_warms_up_then_follows_the_cosine() -> None:
    schedule = Schedule(config(final_learning_rate=0.1), num_train=32)
    assert schedule.steps == 40
    rates = [schedule.learning_rate(step) for step in range(1, 41)]
    assert rates[:8] == pytest.approx([step / 8 for step in range(1, 9)])
    assert rates[23] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert rates[-1] == pytest.approx(0.1)
    assert rates[7:] == sorted(rates[7:], reverse=True)


def test_without_warm_up_it_starts_near_the_peak() -> None:
    assert Schedule(config(lr_warmup_epochs=0), num_train=80).learning_rate(1) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("warmup", [10, 50])
def test_a_run_no_longer_than_its_warm_up_ends_on_the_ramp(warmup: int) -> None:
    schedule = Schedule(config(lr_warmup_epochs=warmup), num_train=32)
    assert schedule.learning_rate(schedule.steps) == pytest.approx(10 / warmup)


def test_an_epoch_sees_every_image_once_in_an_order_of_its_own() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1).repeat(3, axis=1)
    pool = images + 100
    selected = np.array([7, 3, 11], dtype=np.int64)
    orders = []
    for epoch in (1, 2):
        batches = list(shuffled_batches(images, pool, selected, 5, 0, epoch, steps=5))
        assert [len(batch.index) for batch in batches] == [5, 5, 5, 5, 3]
        for batch in batches:
            expected = np.where(batch.is_ood, batch.index + 100, batch.index)
            assert (batch.images[:, 0, 0, 0].numpy() == expected).all()
        flags = np.concatenate([batch.is_ood for batch in batches])
        index = np.concatenate([batch.index for batch in batches])
        assert sorted(index[~flags]) == list(range(20)) and sorted(index[flags]) == [3, 7, 11]
        orders.append(index.tolist())
    assert orders[0] != orders[1]


def test_skipping_batches_changes_none_of_the_rest() -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    none = np.empty(0, dtype=np.int64)
    whole = list(shuffled_batches(images, None, none, 6, 3, 4, steps=11))  # three passes of 4, the last without its end
    for first in range(12):
        rest = list(shuffled_batches(images, None, none, 6, 3, 4, steps=11, first=first))
        assert [(b.index.tolist(), b.first_pass) for b in rest] == [
            (b.index.tolist(), b.first_pass) for b in whole[first:]
        ]


# --- matched steps


@settings(max_examples=40)
@given(
    num_train=st.integers(8, 60),
    budget=st.integers(1, 200),
    warmup=st.integers(1, 9),
    interval=st.integers(1, 5),
    batch_size=st.integers(2, 8),
)
def test_matched_steps_are_those_of_every_sampler(
    num_train: int, budget: int, warmup: int, interval: int, batch_size: int
) -> None:
    made = {"warmup_epochs": warmup, "sample_interval": interval, "sample_budget": budget, "batch_size": batch_size}
    matched = Schedule(config(match_steps=True, **made), num_train)
    for sampler in (kind for kind, of_kind in samplers.items() if of_kind.picks):
        other = Schedule(config(sampler=sampler, **made), num_train)
        assert [matched.steps_before(epoch) for epoch in range(1, 12)] == [
            other.steps_before(epoch) for epoch in range(1, 12)
        ]
        assert matched.steps == other.steps
        assert matched.learning_rate(matched.steps) == other.learning_rate(other.steps)

    images, none = np.zeros((num_train, 3, 1, 1), dtype=np.uint8), np.empty(0, dtype=np.int64)
    for epoch in (warmup, warmup + 1):
        batches = list(shuffled_batches(images, None, none, batch_size, 0, epoch, matched.steps_in(epoch)))
        assert len(batches) == matched.steps_in(epoch)
        assert sum(len(batch.index) for batch in batches) == matched.images(epoch, 0)
        for batch in batches:
            assert len(set(batch.index.tolist())) == len(batch.index) >= 2
        assert [batch.first_pass for batch in batches] == [
            number < steps_per_epoch(num_train, batch_size) for number in range(len(batches))
        ]


def test_a_matched_epoch_goes_through_the_images_again_in_another_order() -> None:
    images, none = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1), np.empty(0, dtype=np.int64)
    matched = config(match_steps=True, sample_budget=25, warmup_epochs=1)
    schedule = Schedule(matched, 20)
    assert (schedule.steps_in(1), schedule.steps_in(2)) == (3, 6)
    assert (schedule.images(1, 0), schedule.images(2, 0)) == (20, 40)
    batches = list(shuffled_batches(images, None, none, 8, 0, 2, 6))
    assert [len(batch.index) for batch in batches] == [8, 8, 4, 8, 8, 4]
    orders = [np.concatenate([batch.index for batch in part]) for part in (batches[:3], batches[3:])]
    assert [sorted(order) for order in orders] == [list(range(20))] * 2
    # The first order is that of an epoch without further passes; pinned, as checkpoints rest on it.
    assert orders[0].tolist() == torch.randperm(20, generator=generator(0, "shuffle", 2)).tolist()
    assert orders[1].tolist() == torch.randperm(20, generator=generator(0, "shuffle", 2, 1)).tolist()


def test_without_match_steps_sampler_none_takes_no_more_steps() -> None:
    schedule = Schedule(config(sample_budget=25, warmup_epochs=1), 20)
    assert (schedule.steps_in(10), schedule.images(10, 0)) == (3, 20)


@pytest.mark.parametrize("settings", [{"match_steps": True}, {"sampler": "mak"}, {"sampler": "random"}])
def test_a_warm_up_that_leaves_no_epoch_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"warmup_epochs 10 leaves no epoch .* less than epochs 10") as error:
        config(warmup_epochs=10, **settings)
    assert error.value.errors()[0]["loc"] == ("warmup_epochs",)
    assert config(warmup_epochs=10).sampler.warmup_epochs == 10


def test_matched_steps_need_no_pool() -> None:
    made = config(match_steps=True, warmup_epochs=1, sample_budget=1000)
    assert made.data_problems(20, None) == []


def test_more_steps_than_are_counted_are_refused() -> None:
    made = {"match_steps": True, "warmup_epochs": 1, "sample_budget": 2**31 - 1, "batch_size": 8}
    assert config(**made, epochs=7).data_problems(20, None) == []
    ((field, problem),) = config(**made, epochs=8).data_problems(20, None)
    assert field == "epochs"
    assert problem == "8 epochs of up to 2147483667 images have 2147483648 steps or more"
    assert config(**{**made, "match_steps": False}, epochs=8).data_problems(20, None) == []


def test_random_streams_are_told_apart_by_seed_purpose_and_position() -> None:
    keys = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", 1, 1), (0, "a", 11)]
    assert len({stream_seed(*key) for key in keys}) == len(keys)  # type: ignore[arg-type]
    # Pinned: another value would make old checkpoints resume into another run.
    assert stream_seed(0, "shuffle", 1) == 1906601719
    assert generator(0, "a", 1).initial_seed() == stream_seed(0, "a", 1)
