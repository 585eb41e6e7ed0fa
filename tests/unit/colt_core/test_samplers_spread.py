"""The sampler `spread`, beside a slow version that scans the whole pool for each pick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, Cluster, PickingStop, RoundDone, StepDone
from colt_core.samplers import spread
from colt_core.samplers.build import build_sampler
from colt_core.samplers.clustering import Clustering, cluster_embeddings
from colt_core.samplers.protocol import RoundInputs, Selection
from colt_core.samplers.spread import SpreadSampler, by_deficit, nearest_members
from colt_core.training.pretrain import pretrain
from tests.support.tiny_runs import POOL, TRAIN, config, difference, kinds, run, stop_after


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def inputs(budgets: list[int], ood_z: np.ndarray, centers: np.ndarray) -> RoundInputs:
    clusters = tuple(Cluster(1, 0.0, 0.0, budget) for budget in budgets)
    return RoundInputs(1, 0, sum(budgets), centers, ood_z, centers, clusters)


def slow_selection(given: RoundInputs, stop: float) -> Selection:
    budgets, taken, size = [c.budget for c in given.clusters], [0] * len(given.clusters), len(given.clusters)
    total, free = sum(budgets), set(range(len(given.ood_z)))
    similarity = given.ood_z.astype(np.float32) @ given.centers.T
    picks, values = [], []
    for n in range(total):
        # In whole numbers: K times the deficit.
        deficits = [budgets[c] * (n + 1) - taken[c] * total for c in range(size)]
        cluster = deficits.index(max(deficits))
        pick = max(free, key=lambda image: (similarity[image, cluster], -image))
        free.remove(pick)
        taken[cluster] += 1
        picks.append(pick)
        values.append(float(similarity[pick, cluster]))
        blocks = [np.mean(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]
        may_stop = stop and len(values) % size == 0 and len(blocks) > 20 and len(values) < total
        if may_stop and blocks[-1] < blocks[19] - (1 - stop) * abs(blocks[19]):
            return Selection(np.array(picks), PickingStop(blocks[-1], blocks[19], stop))
    assert taken == budgets
    return Selection(np.array(picks))


@settings(max_examples=40)
@given(
    budgets=st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(any),
    more=st.integers(0, 30),
    stop=st.sampled_from([0.0, 0.6, 0.95, 1.0]),
    seed=st.integers(0, 9999),
    depth=st.sampled_from([3, 2**20]),
)
def test_picks_and_stop_are_those_of_the_slow_version(
    budgets: list[int], more: int, stop: float, seed: int, depth: int
) -> None:
    """With a depth of 3, clusters search on as they run out of candidates."""
    draw = np.random.default_rng(seed)
    given = inputs(budgets, unit(sum(budgets) + more, 4, seed), unit(len(budgets), 4, int(draw.integers(999))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spread, "MAX_CANDIDATES", depth)
        found = SpreadSampler(stop=stop).selection(given)
    expected = slow_selection(given, stop)
    assert found.picks.tolist() == expected.picks.tolist() == SpreadSampler(stop=stop).select(given).tolist()
    assert (found.stop is None) == (expected.stop is None)
    if found.stop and expected.stop:
        assert found.stop.similarity == pytest.approx(expected.stop.similarity, abs=1e-6)
        assert found.stop.reference == pytest.approx(expected.stop.reference, abs=1e-6)


def test_it_stops_at_the_end_of_what_is_similar_and_never_before_the_20th_block() -> None:
    near, far = unit(60, 3, 1) * 0.05 + [1, 0, 0], unit(60, 3, 2) * 0.05 + [0, 1, 0]
    pool = np.concatenate([far, near]).astype(np.float32)
    pool /= np.linalg.norm(pool, axis=1, keepdims=True)
    centers = np.array([[1, 0, 0], [0.9, 0.1, 0]], dtype=np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    found = SpreadSampler().selection(inputs([50, 50], pool, centers))
    assert found.stop is not None and found.stop.similarity < 0.95 * found.stop.reference
    # 60 images are near; the block of two picks that is the first beyond them is the last.
    assert len(found.picks) == 62 and set(found.picks[:60].tolist()) == set(range(60, 120))
    assert SpreadSampler().selection(inputs([20, 20], pool[:50], centers)).stop is None  # K is 20 blocks
    assert len(SpreadSampler(stop=0).selection(inputs([50, 50], pool, centers)).picks) == 100


def test_a_budget_beyond_the_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="a budget of 5 is more than the 4 images"):
        SpreadSampler().select(inputs([2, 3], unit(4, 3, 0), unit(2, 3, 1)))


@pytest.mark.parametrize(("points", "stop", "told"), [(0, 0.5, "points must be"), (1, 1.5, "stop must be")])
def test_values_out_of_range_are_refused(points: int, stop: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SpreadSampler(points, stop)


@given(budgets=st.lists(st.integers(0, 60), min_size=1, max_size=9).filter(any))
def test_every_cluster_takes_its_budget_and_none_runs_ahead(budgets: list[int]) -> None:
    order, total = by_deficit(np.array(budgets)), sum(budgets)
    assert np.bincount(order, minlength=len(budgets)).tolist() == budgets
    for n in range(total):
        taken = np.bincount(order[: n + 1], minlength=len(budgets))
        assert (taken - np.array(budgets) * (n + 1) / total < 1 + 1e-9).all()


def test_the_nearest_members_are_those_of_a_scan() -> None:
    z = unit(50, 4, 3)
    clustering = cluster_embeddings(z, 4)
    expected = []
    for number, center in enumerate(clustering.centers):
        members = [row for row in range(50) if clustering.labels[row] == number]
        expected += sorted(members, key=lambda row: -float(z[row] @ center))[:3]
    assert nearest_members(z, clustering, 3).tolist() == sorted(expected)


def test_clusters_follow_the_extent_of_the_data_not_its_density() -> None:
    """A dense half draws the centres of k-means to it; the thin half is as wide."""
    draw = np.random.default_rng(0)
    angles = np.concatenate([draw.uniform(0, 1.5, 2000), draw.uniform(1.5, 3.0, 60)])
    z = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def in_the_thin_half(found: Clustering) -> int:
        return int((np.arctan2(found.centers[:, 1], found.centers[:, 0]) > 1.5).sum())

    by_density = in_the_thin_half(cluster_embeddings(z, 12))
    by_extent = in_the_thin_half(SpreadSampler(points=15).cluster(z, 12, 10, 0))
    assert by_density < by_extent and by_extent >= 4


def test_fewer_embeddings_than_clusters_need_leave_the_clusters_as_they_are() -> None:
    z = np.repeat(unit(2, 3, 0), 5, axis=0)
    before, after = cluster_embeddings(z, 4, 2, 0), SpreadSampler(points=1).cluster(z, 4, 2, 0)
    assert after.labels.tolist() == before.labels.tolist()


def test_settings_reach_the_sampler() -> None:
    made = build_sampler(PretrainConfig.resolve({"sampler": "spread", "spread_points": 7, "spread_stop": 0.5}))
    assert isinstance(made, SpreadSampler) and (made.points, made.stop) == (7, 0.5)


def test_a_stopped_round_keeps_the_steps_of_the_budget_and_resumes_bit_for_bit() -> None:
    """One cluster, so the 20th block is the 20th pick, and a share of 1 stops at the next."""
    made = config(sampler="spread", num_clusters=1, spread_stop=1.0, epochs=3)
    events = run(made)
    (found,) = kinds(events, RoundDone)
    assert len(found.selected) == 21 and found.stop is not None and found.clusters[0].budget == 24
    assert len(kinds(events, StepDone)) == len(kinds(run(config(epochs=3)), StepDone))
    stopped = run(made, should_stop=stop_after(13))  # within the epoch after the round
    (checkpoint,) = kinds(stopped[-2:], CheckpointReady)
    rest = list(pretrain(made, TRAIN, POOL, resume_from=checkpoint.state))[1:]
    assert difference(rest, events[len(events) - len(rest) :]) is None
