"""The control `idfill`: budgets filled with training images of the same cluster."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.analyses.analysed_run import AnalysedRun
from colt_core.config import PretrainConfig
from colt_core.data import ImagePool
from colt_core.events import CheckpointReady, Cluster, EpochDone, RoundDone, StepDone
from colt_core.samplers.idfill import IdFillSampler
from colt_core.samplers.protocol import RoundInputs
from colt_core.training.batches import shuffled_batches
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run


def inputs(labels: np.ndarray, budgets: list[int], number: int = 1) -> RoundInputs:
    z = np.ones((len(labels), 1), dtype=np.float32)
    clusters = tuple(Cluster(1, 0.0, 0.0, budget) for budget in budgets)
    return RoundInputs(number, 0, sum(budgets), z, z[:0], z[:0], clusters, id_cluster=labels)


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 999),
    number=st.integers(1, 5),
)
def test_each_cluster_is_filled_like_a_vessel(sizes: list[int], seed: int, number: int) -> None:
    """Image by image: the next is always one of those that were repeated least."""
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat(np.arange(len(sizes)), sizes))
    budgets = draw.integers(0, 20, len(sizes)).tolist()
    budgets[0] += 1
    picks = IdFillSampler().select(inputs(labels, budgets, number))
    assert np.bincount(labels[picks], minlength=len(sizes)).tolist() == budgets
    times = np.zeros(len(labels), dtype=int)
    for pick in picks:
        assert times[pick] == times[labels == labels[pick]].min()
        times[pick] += 1
    assert picks.tolist() == IdFillSampler().select(inputs(labels, budgets, number)).tolist()


def test_rounds_differ_in_whom_the_last_turn_reaches() -> None:
    labels = np.zeros(50, dtype=np.int64)
    first, second = (IdFillSampler().select(inputs(labels, [75], number)).tolist() for number in (1, 2))
    assert sorted(first) != sorted(second)


def test_it_needs_the_clusters_of_the_images() -> None:
    z = np.ones((1, 1), dtype=np.float32)
    with pytest.raises(ValueError, match="needs id_cluster"):
        IdFillSampler().select(RoundInputs(1, 0, 1, z, z[:0], z, (Cluster(1, 0.0, 1.0, 1),)))


def test_a_batch_tells_repeats_from_first_uses_and_has_no_ood_image() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    picks = np.array([2, 2, 5, 0])
    batches = list(shuffled_batches(images, None, picks, 5, 0, 1, 2))
    index = torch.cat([batch.index for batch in batches])
    is_repeat = torch.cat([batch.is_repeat for batch in batches])
    assert sorted(index[~is_repeat].tolist()) == list(range(6))
    assert sorted(index[is_repeat].tolist()) == sorted(picks.tolist())
    assert not torch.cat([batch.is_ood for batch in batches]).any()
    assert torch.cat([batch.images for batch in batches]).flatten().tolist() == index.tolist()


@pytest.mark.parametrize("framework", ["simclr", "bcl"])
def test_a_run_reads_no_pool_and_has_no_distribution_level_loss(framework: str) -> None:
    """With 60 repeats of 26 images batches hold images twice. Second scores would be refused."""
    made = config(framework=framework, sampler="idfill", sample_budget=60)
    events = run(made)
    assert difference(events, list(pretrain(made, TRAIN))[1:]) is None
    assert [event.distribution_loss for event in kinds(events, StepDone)] == [None] * len(kinds(events, StepDone))
    for found in kinds(events, RoundDone):
        assert found.repeats and found.ood_embedded == 0 and found.stop is None
        assert len(found.ood_tailness) == len(found.ood_cluster) == len(found.ood_similarity) == 0
        assert len(found.selected) == 60 and found.selected.max() < len(TRAIN)
        taken = np.bincount(found.id_cluster[found.selected], minlength=made.num_clusters)
        assert taken.tolist() == [cluster.budget for cluster in found.clusters]
    assert [event.images for event in kinds(events, EpochDone)] == [26, 26, 86, 86]


def test_analyses_take_no_training_image_for_a_pool_image() -> None:
    events = run(config(sampler="idfill"))
    *_, checkpoint = kinds(events, CheckpointReady)
    assert len(checkpoint.state["selected"]) == 24 and checkpoint.state["data"]["num_pool"] is None
    opened = AnalysedRun.of(checkpoint.state, ImagePool(TRAIN), ImagePool(POOL))
    assert len(opened.selected) == 0 and len(opened.picked(5, 0)[1]) == 0


def test_a_pool_is_neither_needed_nor_compared_with_the_budget() -> None:
    made = PretrainConfig.resolve({"sampler": "idfill", "sample_budget": 10_000})
    assert made.data_problems(1000, None) == made.data_problems(1000, 5) == []
