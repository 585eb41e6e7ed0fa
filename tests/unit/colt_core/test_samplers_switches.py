"""Every switch of the samplers, from a configuration through a run: what it changes, and what it
does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from colt_core.events import CheckpointReady, EpochDone, RoundDone, StepDone
from colt_core.samplers.budget import integer_budgets
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.training.checkpoint import load_framework
from colt_core.training.embed import embed
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run, stop_after


def rounds(**settings: Any) -> list[Any]:
    return kinds(run(config(**settings)), RoundDone)


def test_random_draws_anew_each_round_or_keeps_the_first_draw() -> None:
    first, second = rounds(sampler="random")
    assert first.selected.tolist() != second.selected.tolist()
    kept, again = rounds(sampler="random", redraw=False)
    assert kept.selected.tolist() == again.selected.tolist() == first.selected.tolist()


@pytest.mark.parametrize("order", ["index", "tail_first"])
def test_clusters_pick_in_order_of_index_or_of_tailness(order: str) -> None:
    made = config(cluster_order=order, sample_budget=12, precision="fp32")
    events = run(made)
    (round_1, _), before = kinds(events, RoundDone), kinds(events, CheckpointReady)[0].state
    framework, _ = load_framework(before)
    id_z, ood_z = (embed(framework, images, precision="fp32") for images in (TRAIN, POOL))
    centers = cluster_embeddings(id_z, 3, restarts=1).centers

    by_tailness = sorted(range(3), key=lambda c: -round_1.clusters[c].tailness)
    assert by_tailness != [0, 1, 2]  # else this would not tell them apart
    expected: list[int] = []
    for c in by_tailness if order == "tail_first" else [0, 1, 2]:
        nearest = np.argsort(-(ood_z @ centers[c])).tolist()
        expected += [index for index in nearest if index not in expected][: round_1.clusters[c].budget]
    assert round_1.selected.tolist() == expected


@pytest.mark.parametrize("remainder", ["largest", "last"])
def test_what_rounding_leaves_of_the_budget(remainder: Any) -> None:
    settings = {"sample_budget": 23, "cluster_temperature": 2.0, "precision": "fp32"}
    (event, _) = rounds(budget_remainder=remainder, **settings)
    weights = np.array([cluster.weight for cluster in event.clusters])
    budgets = [cluster.budget for cluster in event.clusters]
    assert budgets == integer_budgets(weights, 23, remainder).tolist()
    other = "last" if remainder == "largest" else "largest"
    assert budgets != integer_budgets(weights, 23, other).tolist()  # else this would not tell them apart


def test_a_share_of_the_negatives_is_that_many_of_them() -> None:
    share, number, other = (kinds(run(config(top_k=k)), RoundDone, EpochDone) for k in (0.5, 7, 6))
    assert difference(share, number) is None  # a batch of 8 has 14 negatives
    assert difference(share, other)


def test_ood_images_in_or_out_of_the_negatives_change_tailness_once_there_are_any() -> None:
    counted, left_out = (kinds(run(config(ood_in_negatives=on)), EpochDone) for on in (True, False))
    assert difference(counted[:2], left_out[:2]) is None
    assert counted[2].tailness.mean() != pytest.approx(left_out[2].tailness.mean(), rel=1e-3)


# --- matched steps

MATCHED = {"sampler": "none", "match_steps": True}


@pytest.fixture(scope="module")
def matched_run() -> list[Any]:
    return list(pretrain(config(**MATCHED), TRAIN))[1:]  # without a pool


def test_a_matched_run_has_the_steps_and_learning_rates_of_a_run_with_ood_images(matched_run: list[Any]) -> None:
    matched, with_ood = matched_run, run(config(sampler="random"))
    times = [
        [(e.epoch, e.step, e.steps, e.learning_rate) for e in kinds(events, StepDone)] for events in (matched, with_ood)
    ]
    assert times[0] == times[1]
    # 26 images are batches of 8, 8, 8, 2; seven steps are those and three of the next pass.
    assert [event.images for event in kinds(matched, EpochDone)] == [26, 26, 50, 50]
    assert not kinds(matched, RoundDone)
    assert all(event.distribution_loss is None for event in kinds(matched, StepDone))


def test_only_the_first_pass_of_an_epoch_is_scored() -> None:
    # The learning rate moves no weight, and each score is the last value alone: a second pass would
    # replace it.
    still = {"learning_rate": 1e-12, "final_learning_rate": 0, "tailness_momentum": 0, "precision": "fp32"}
    runs = [
        kinds(list(pretrain(config(sampler="none", match_steps=on, epochs=3, **still), TRAIN)), EpochDone)
        for on in (False, True)
    ]
    assert [events[2].step for events in runs] == [12, 15]
    np.testing.assert_allclose(runs[0][2].tailness, runs[1][2].tailness, atol=1e-6)


# Asked after each step: the last of epoch 3's first pass, and one inside its second.
@pytest.mark.parametrize("asked", [12, 14])
def test_a_matched_run_resumes_exactly_inside_any_pass(asked: int, matched_run: list[Any]) -> None:
    before = run(config(**MATCHED), should_stop=stop_after(asked))
    assert isinstance(before[-2], CheckpointReady)
    after = run(config(**MATCHED), resume_from=before[-2].state)
    assert difference(before[:-2] + after, matched_run) is None
