"""Each defect of the released code, shown where it can be, and that it is not repeated here
(docs/method.md)."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DistributedSampler

from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks
from colt_core.events import CheckpointReady, EpochDone, Float32, RoundDone
from colt_core.samplers.build import build_sampler
from colt_core.samplers.round import sampling_round
from colt_core.tailness import TailnessTracker, negative_tailness
from colt_core.training.batches import shuffled_batches
from colt_core.training.schedule import steps_per_epoch
from tests.support.tiny_runs import config, kinds, run


def unit_rows(count: int, seed: int, dim: int = 8) -> Float32:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def one_round(id_z: Float32, tailness: Float32, **settings: object) -> dict[str, object]:
    """A round over a pool of 60 with a budget of 11."""
    made = PretrainConfig.model_validate(
        {"num_clusters": 4, "kmeans_restarts": 1, "sample_budget": 11, "ood_neighbors": 3, **settings}
    )
    return sampling_round(id_z, unit_rows(60, 2), tailness, build_sampler(made), made, 1)


def test_the_short_last_batch_does_not_inflate_its_samples_scores() -> None:
    # The defect: with fewer negatives the k largest hold more of the probability, so both look like
    # head samples.
    view1, view2 = torch.from_numpy(unit_rows(128, 1)).chunk(2)
    short = torch.cat([view1[:8], view2[:8]])
    assert (negative_tailness(short, 0.2, 10) < negative_tailness(torch.cat([view1, view2]), 0.2, 10)[:8]).all()
    # 4 steps of 8 images, the last of 2: those two have no score yet after one epoch, and stand at
    # the mean.
    epoch = kinds(run(config(sampler="none", epochs=1)), EpochDone)[0]
    values, counts = np.unique(epoch.tailness, return_counts=True)
    assert counts.max() == 2
    others = epoch.tailness[epoch.tailness != values[counts.argmax()]]
    assert values[counts.argmax()] == pytest.approx(others.mean(), rel=1e-5)


def test_a_sample_missed_in_an_epoch_keeps_its_value_instead_of_looking_tail() -> None:
    tracker = TailnessTracker(2, momentum=0.97)
    tracker.update(torch.tensor([0, 1]), torch.tensor([-0.5, -0.25]))
    tracker.update(torch.tensor([1]), torch.tensor([-0.25]))
    assert tracker.scores().tolist() == [-0.5, -0.25]


def test_the_history_is_two_vectors_however_many_epochs() -> None:
    state = kinds(run(config(sampler="none", epochs=6, checkpoint_interval=6)), CheckpointReady)[0].state["tailness"]
    assert {name: (tuple(value.shape), value.device.type) for name, value in state.items()} == {
        "score": ((26,), "cpu"),
        "seen": ((26,), "cpu"),
    }


class CountedCalls(TorchDispatchMode):
    """Counts the tensor operations of what runs inside."""

    calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.calls += 1
        return func(*args, **(kwargs or {}))


def test_scores_are_updated_at_once_and_not_in_a_loop_over_samples() -> None:
    calls = []
    for batch_size in (4, 64):
        z, index = torch.from_numpy(unit_rows(2 * batch_size, 3)), torch.arange(batch_size).flip(0)
        tracker = TailnessTracker(batch_size, momentum=0.75)
        tracker.update(index, torch.full((batch_size,), -0.5))
        with CountedCalls() as counted:
            raw = negative_tailness(z, 0.2, 3)
            tracker.update(index, raw)
        calls.append(counted.calls)
        looped = torch.empty(batch_size)
        for sample, score in zip(index.tolist(), raw.tolist(), strict=True):
            looped[sample] = 0.75 * -0.5 + 0.25 * score
        torch.testing.assert_close(tracker.scores(), looped)
    assert calls[0] == calls[1] < 100


def test_the_remainder_of_the_budget_does_not_all_go_to_the_last_cluster() -> None:
    id_z, tailness = unit_rows(40, 1), -np.random.default_rng(2).random(40, dtype=np.float32)
    for remainder, misplaced in (("largest", False), ("last", True)):
        clusters = one_round(id_z, tailness, budget_remainder=remainder)["clusters"]
        off = [cluster.budget - 11 * cluster.weight for cluster in clusters]
        assert sum(cluster.budget for cluster in clusters) == 11
        assert (max(map(abs, off)) > 1) == misplaced
    assert PretrainConfig().rounds.budget_remainder == "largest"


def test_one_cluster_is_granted_all_instead_of_dividing_by_its_deviation() -> None:
    found = one_round(unit_rows(20, 1), -np.random.default_rng(4).random(20, dtype=np.float32), num_clusters=1)
    assert [(cluster.weight, cluster.budget) for cluster in found["clusters"]] == [(1.0, 11)]
    assert len(set(found["selected"].tolist())) == 11


def test_an_empty_cluster_is_granted_nothing_instead_of_a_mean_of_nothing() -> None:
    id_z = unit_rows(2, 1).repeat(10, axis=0)  # two distinct embeddings, four clusters
    found = one_round(id_z, -np.linspace(0.1, 0.9, 20, dtype=np.float32))
    assert sorted(cluster.size for cluster in found["clusters"]) == [0, 0, 10, 10]
    assert all(cluster.budget == 0 for cluster in found["clusters"] if cluster.size == 0)
    assert sum(cluster.budget for cluster in found["clusters"]) == 11 == len(set(found["selected"].tolist()))


def test_equal_scores_share_the_budget_equally_instead_of_dividing_by_zero() -> None:
    found = one_round(unit_rows(40, 1), np.full(40, -0.3, dtype=np.float32))
    assert [cluster.weight for cluster in found["clusters"]] == [0.25] * 4
    assert [cluster.budget for cluster in found["clusters"]] == [3, 3, 3, 2]
    assert np.isfinite(found["ood_tailness"]).all()


def test_the_guards_hold_in_a_run() -> None:
    for round_done in kinds(run(config(num_clusters=1, epochs=3)), RoundDone):
        assert len(set(round_done.selected.tolist())) == 24


@pytest.mark.parametrize("num_ranks", [2, 3, 5])
def test_several_processes_neither_lose_nor_double_a_sample_where_sizes_do_not_divide(num_ranks: int) -> None:
    # The defect: a sampler that gives every process equally many samples repeats some of them, or
    # leaves some out.
    for drop_last, wrong in ((False, 30), (True, 25)):
        parts = [DistributedSampler(range(26), num_ranks, rank, drop_last=drop_last) for rank in range(num_ranks)]
        assert (sum(map(len, parts)) == 26) == (num_ranks == 2)
        assert num_ranks != 5 or sum(map(len, parts)) == wrong
    pixels = np.arange(60, dtype=np.uint8).repeat(3).reshape(60, 3, 1, 1)
    for num_train, num_ood, batch_size in product((16, 17, 26), (0, 1, 9), (4, 5, 8)):
        images, pool, selected = pixels[:num_train], pixels[30:], np.arange(num_ood)[::-1].copy()
        steps = steps_per_epoch(num_train + num_ood, batch_size)
        seen: list[int] = []
        for rank in range(num_ranks):
            ranks = Ranks(rank, num_ranks)
            for batch in shuffled_batches(images, pool, selected, batch_size, 0, 1, steps, ranks=ranks):
                seen += batch.images[:, 0, 0, 0].tolist()
        lone = (num_train + num_ood) % batch_size == 1  # has no negatives, and is left out of the epoch
        assert len(seen) == len(set(seen)) == num_train + num_ood - lone
        assert set(seen) <= {*range(num_train), *(30 + selected).tolist()}
