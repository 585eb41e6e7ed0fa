"""The training loop: its events, its determinism, exact resume, and that it learns."""

from __future__ import annotations

import copy
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from colt_core.events import CheckpointReady, EpochDone, Event, Finished, RoundDone, StepDone, Stopped
from colt_core.frameworks.build import build_framework
from colt_core.training.checkpoint import load_checkpoint, save_checkpoint
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.embed import embed, extract_features
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import POOL, TRAIN, config, difference, images, kinds, run, stop_after

SAMPLERS = ("none", "random", "colt")


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, list[Event]]:
    return {sampler: run(config(sampler=sampler)) for sampler in SAMPLERS}


def test_the_events_of_a_colt_run(uninterrupted: dict[str, list[Event]]) -> None:
    events = uninterrupted["colt"]
    steps = kinds(events, StepDone)
    assert [event.step for event in steps] == list(range(1, 23))
    assert {event.steps for event in steps} == {22}
    assert [event.epoch for event in steps] == [1] * 4 + [2] * 4 + [3] * 7 + [4] * 7

    shape = [type(event).__name__ for event in events if not isinstance(event, StepDone)]
    assert shape == [
        "EpochDone",
        "EpochDone",
        "CheckpointReady",
        "RoundDone",
        "EpochDone",
        "CheckpointReady",
        "RoundDone",
        "EpochDone",
        "CheckpointReady",
        "Finished",
    ]
    epochs = kinds(events, EpochDone)
    assert [(event.epoch, event.step, event.images) for event in epochs] == [
        (1, 4, 26),
        (2, 8, 26),
        (3, 15, 50),
        (4, 22, 50),
    ]
    for event in epochs:
        losses = [step.loss for step in steps if step.epoch == event.epoch]
        assert event.loss == pytest.approx(np.mean(losses))
        assert event.tailness.shape == (26,) and event.tailness.dtype == np.float32
    assert events[-1] == Finished(4, 22)


def test_the_distribution_term_counts_only_with_ood_images(uninterrupted: dict[str, list[Event]]) -> None:
    for step in kinds(uninterrupted["colt"], StepDone):
        if step.epoch < 3:
            assert step.distribution_loss is None and step.loss == step.contrastive_loss
        elif step.distribution_loss is not None:
            assert step.loss == pytest.approx(step.contrastive_loss + 0.2 * step.distribution_loss, rel=1e-5)
    assert any(step.distribution_loss is not None for step in kinds(uninterrupted["colt"], StepDone))
    without = run(config(distribution_loss_weight=0))
    assert all(step.distribution_loss is None for step in kinds(without, StepDone))


def test_rounds_pick_from_the_whole_pool(uninterrupted: dict[str, list[Event]]) -> None:
    for sampler in ("random", "colt"):
        rounds = kinds(uninterrupted[sampler], RoundDone)
        assert [(event.round, event.epoch, event.step) for event in rounds] == [(1, 3, 8), (2, 4, 15)]
        for event in rounds:
            assert len(set(event.selected.tolist())) == 24 and set(event.selected) <= set(range(30))
            assert event.id_cluster.shape == (26,) and event.ood_tailness.shape == (30,)
            assert sum(cluster.budget for cluster in event.clusters) == 24
    assert not kinds(uninterrupted["none"], RoundDone)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_run(sampler: str, uninterrupted: dict[str, list[Event]]) -> None:
    torch.manual_seed(99)  # nothing may hang on torch's own random state
    np.random.seed(99)
    assert difference(run(config(sampler=sampler)), uninterrupted[sampler]) is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("min_crop_scale", 0.9),
        ("flip_probability", 0.0),
        ("color_jitter", 0.0),
        ("color_jitter_probability", 0.1),
        ("grayscale_probability", 1.0),
        ("top_k", 3),
        ("ood_in_negatives", False),
        ("distribution_denominator", "cross_domain"),
        ("weight_decay", 0.1),
    ],
)
def test_the_loop_reads_every_setting(setting: str, value: object, uninterrupted: dict[str, list[Event]]) -> None:
    changed = pretrain(config(**{setting: value}), TRAIN, POOL)
    # Lazily: most settings show in the first step.
    assert any(
        difference(ours, theirs)
        for ours, theirs in zip(changed, uninterrupted["colt"], strict=True)
        if isinstance(theirs, StepDone | EpochDone)
    )


def test_adamw_decays_the_weights_too() -> None:
    runs = [run(config(optimizer="adamw", sampler="none", epochs=2, weight_decay=decay)) for decay in (0, 0.5)]
    assert difference(*(kinds(events, StepDone) for events in runs))


def test_another_seed_gives_another_run(uninterrupted: dict[str, list[Event]]) -> None:
    other = run(config(seed=1, sampler="none"))
    assert difference(other[0], uninterrupted["none"][0])


# `should_stop` is asked after each of the 22 steps. In each of the 2 rounds the samplers ask it
# too: before the training images and before the pool are embedded, and after that.
@pytest.mark.parametrize(
    ("sampler", "asked"),
    [
        ("none", 1),
        ("random", 11),  # after round 1, before a step of its epoch
        ("colt", 8),  # the last step of epoch 2, before its end is reported
        ("colt", 9),  # in round 1, which is broken off
        ("colt", 10),
        ("colt", 11),
        ("colt", 12),  # the first step that has OOD images
        ("colt", 20),  # in round 2
        ("colt", 28),  # the very last step
    ],
)
def test_resumed_at_a_turn_of_the_loop_it_ends_bit_for_bit_the_same(
    sampler: str, asked: int, uninterrupted: dict[str, list[Event]], tmp_path: Any
) -> None:
    before = run(config(sampler=sampler), should_stop=stop_after(asked))
    checkpoint, stopped = before[-2:]
    assert isinstance(checkpoint, CheckpointReady) and isinstance(stopped, Stopped)
    assert len(kinds(before, RoundDone)) == (asked >= 11) + (asked >= 21)
    save_checkpoint(checkpoint.state, tmp_path / "checkpoint.pt")
    after = run(config(sampler=sampler), resume_from=load_checkpoint(tmp_path / "checkpoint.pt"))
    assert difference(before[:-2] + after, uninterrupted[sampler]) is None


def test_stopped_after_the_last_step_of_all_only_the_end_is_left(uninterrupted: dict[str, list[Event]]) -> None:
    before = run(config(sampler="none"), should_stop=stop_after(16))
    assert isinstance(before[-3], StepDone) and before[-3].step == before[-3].steps
    after = run(config(sampler="none"), resume_from=before[-2].state)
    assert difference(after, uninterrupted["none"][-3:]) is None


def test_resuming_leaves_the_state_that_it_starts_from_as_it_was(uninterrupted: dict[str, list[Event]]) -> None:
    state = kinds(uninterrupted["colt"], CheckpointReady)[0].state
    before = deepcopy(state)
    run(config(), resume_from=state)
    assert difference(state, before) is None


def test_a_finished_run_resumes_to_its_end(uninterrupted: dict[str, list[Event]]) -> None:
    state = kinds(uninterrupted["colt"], CheckpointReady)[-1].state
    assert run(config(), resume_from=state) == [Finished(4, 22)]


def test_a_checkpoint_does_not_change_while_training_goes_on() -> None:
    events = pretrain(config(sampler="none", checkpoint_interval=1), TRAIN)
    state = next(event.state for event in events if isinstance(event, CheckpointReady))
    weights = state["framework"]["backbone.conv1.weight"].clone()
    score = state["tailness"]["score"].clone()
    assert isinstance(list(events)[-1], Finished)
    assert torch.equal(state["framework"]["backbone.conv1.weight"], weights)
    assert torch.equal(state["tailness"]["score"], score)


@pytest.mark.parametrize(
    ("changed", "train", "pool", "words"),
    [
        ({"temperature": 0.3, "seed": 5}, TRAIN, POOL, ["temperature was 0.2 and is 0.3", "seed was 0 and is 5"]),
        ({}, TRAIN[:20], POOL, ["num_train was 26 and is 20"]),
        ({}, TRAIN, POOL[:25], ["num_pool was 30 and is 25"]),
        ({}, images(26, 1, side=20), images(30, 2, side=20), ["image_size was 16 and is 20"]),
    ],
)
def test_another_runs_checkpoint_is_refused(
    changed: dict[str, Any], train: Any, pool: Any, words: list[str], uninterrupted: dict[str, list[Event]]
) -> None:
    state = kinds(uninterrupted["colt"], CheckpointReady)[0].state
    with pytest.raises(ValueError) as error:
        pretrain(config(**changed), train, pool, resume_from=state)
    assert all(word in str(error.value) for word in words)


def test_what_does_not_change_the_result_may_change_on_resume(uninterrupted: dict[str, list[Event]]) -> None:
    state = kinds(uninterrupted["none"], CheckpointReady)[0].state
    events = run(config(sampler="none", checkpoint_interval=1, device="cpu"), resume_from=state)
    assert len(kinds(events, CheckpointReady)) == 2


@pytest.mark.parametrize(
    ("settings", "train", "pool", "words"),
    [
        ({"batch_size": 99, "sample_budget": 99}, TRAIN, POOL, ["batch_size: 99", "sample_budget: 99"]),
        ({}, TRAIN, None, ["needs an OOD pool"]),
        ({}, TRAIN.astype(np.float32), POOL, ["images must be uint8", "float32"]),
        ({}, TRAIN, POOL[:, :1], ["pool must be (N, 3, S, S)", "(30, 1, 16, 16)"]),
        ({}, TRAIN[:, :, :8], POOL, ["images must be (N, 3, S, S)"]),
        ({}, TRAIN, images(30, 2, side=20), ["20 px", "16 px"]),
    ],
)
def test_what_cannot_run_is_said_at_once(settings: Any, train: Any, pool: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        pretrain(config(**settings), train, pool)
    assert all(word in str(error.value) for word in words)


def test_arrays_tensors_and_memory_maps_train_alike(uninterrupted: dict[str, list[Event]], tmp_path: Any) -> None:
    np.save(tmp_path / "images.npy", TRAIN)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert difference(list(pretrain(config(sampler="none"), mapped))[1:], uninterrupted["none"]) is None
    assert (
        difference(list(pretrain(config(), torch.from_numpy(TRAIN), torch.from_numpy(POOL)))[1:], uninterrupted["colt"])
        is None
    )


def test_a_loss_that_is_not_finite_stops_with_place_and_learning_rate() -> None:
    with pytest.raises(TrainingDiverged, match=r"the loss is nan in epoch \d, step \d+, at learning rate 9\d\.\d+"):
        run(config(sampler="none", learning_rate=100, weight_decay=1, momentum=0.99, lr_warmup_epochs=0, epochs=100))


@pytest.mark.parametrize("mean", [torch.nan, -1e30])  # the second has a finite output, but not the square of its length
def test_embeddings_without_a_direction_stop_a_round(uninterrupted: dict[str, list[Event]], mean: float) -> None:
    state = copy.deepcopy(kinds(uninterrupted["colt"], CheckpointReady)[0].state)
    state["framework"]["backbone.bn1.running_mean"].fill_(mean)  # batch statistics would still give a loss
    with pytest.raises(TrainingDiverged, match=r"sampling round 1, before epoch 3, are not finite, or too large"):
        run(config(), resume_from=state)


@pytest.mark.parametrize("stopped", [True, False])
def test_weights_that_are_not_finite_become_no_checkpoint(uninterrupted: dict[str, list[Event]], stopped: bool) -> None:
    state = copy.deepcopy(kinds(uninterrupted["none"], CheckpointReady)[0].state)
    for moments in state["optimizer"]["state"].values():
        moments["momentum_buffer"].fill_(torch.inf)  # the next step's loss is finite still, its weights are not
    events: list[Event] = []
    made = config(sampler="none", epochs=4)
    with pytest.raises(TrainingDiverged, match=r"weights are not finite after step 9, with 2 epochs|the loss is nan"):
        events.extend(pretrain(made, TRAIN, resume_from=state, should_stop=lambda: stopped))
    assert not kinds(events, CheckpointReady)


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.02), ("adamw", 0.03)])
def test_colt_learns(optimizer: str, rate: float) -> None:
    # Batches are few and small: only over many epochs does every seed's loss fall.
    made = config(
        optimizer=optimizer, learning_rate=rate, epochs=40, warmup_epochs=20, sample_interval=3, batch_size=16, width=8
    )
    losses = [epoch.loss for epoch in kinds(run(made), EpochDone)]
    for phase in losses[:20], losses[20:]:  # with the OOD images comes a second term
        assert np.mean(phase[-5:]) < np.mean(phase[:5]) - 0.05


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_resume_exactly(precision: str) -> None:
    made = config(precision=precision)
    before = run(made, should_stop=stop_after(12))
    after = run(made, resume_from=before[-2].state)
    assert difference(before[:-2] + after, run(made)) is None


def test_embedding_is_in_eval_mode_batch_by_batch(uninterrupted: dict[str, list[Event]]) -> None:
    framework = build_framework(config(), 100)
    framework.load_state_dict(kinds(uninterrupted["colt"], CheckpointReady)[-1].state["framework"])
    framework.train()
    z = embed(framework, TRAIN, precision="fp32")
    assert framework.training
    np.testing.assert_allclose(embed(framework, TRAIN[:7], batch_size=3, precision="fp32"), z[:7], atol=1e-5)
    assert z.shape == (26, 8) and z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    features = extract_features(framework.backbone, TRAIN)
    assert features.shape == (26, framework.backbone.num_features) and (features >= 0).all()
    with pytest.raises(ValueError, match="no images"):
        embed(framework, TRAIN[:0])
