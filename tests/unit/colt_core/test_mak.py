"""MAK's choice from ready measures, against slow, obvious ones: score, candidates, farthest
first."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.config import PretrainConfig
from colt_core.events import Cluster, Float32
from colt_core.samplers.build import build_sampler
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.mak import MakSampler, farthest_first, z_score
from colt_core.samplers.protocol import PoolMeasures, RoundInputs
from colt_core.samplers.round import sampling_round


def unit_rows(count: int, dim: int = 6, seed: int = 0) -> Float32:
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def round_inputs(num_id: int, num_pool: int, budget: int, seed: int = 0) -> RoundInputs:
    loss = np.random.default_rng(seed).random(num_pool, dtype=np.float32)
    measures = PoolMeasures(unit_rows(num_id, 9, seed + 1), unit_rows(num_pool, 9, seed + 2), loss)
    clusters, centers = (Cluster(num_id, 0.0, 1.0, budget),), unit_rows(1)
    return RoundInputs(1, 0, budget, unit_rows(num_id), unit_rows(num_pool), centers, clusters, measures)


def slow_farthest_first(features: Float32, others: Float32, count: int) -> list[int]:
    """Every pick looks again at all similarities to all others."""
    picks: list[int] = []
    for _ in range(count):
        nearest = {
            row: max(float(features[row] @ other) for other in [*others, *features[picks]])
            for row in range(len(features))
            if row not in picks
        }
        picks.append(min(nearest, key=lambda row: (nearest[row], row)))
    return picks


def slow_scores(measures: PoolMeasures, weight: float, num_clusters: int) -> list[float]:
    centers = cluster_embeddings(measures.id_features, num_clusters).centers
    distance = [1 - max(float(feature @ center) for center in centers) for feature in measures.ood_features]
    loss = measures.ood_loss.tolist()
    mean = {name: sum(values) / len(values) for name, values in (("loss", loss), ("distance", distance))}
    loss_deviation = (sum((value - mean["loss"]) ** 2 for value in loss) / len(loss)) ** 0.5
    distance_deviation = (sum((value - mean["distance"]) ** 2 for value in distance) / len(distance)) ** 0.5
    return [
        weight * (e - mean["loss"]) / loss_deviation - (1 - weight) * (d - mean["distance"]) / distance_deviation
        for e, d in zip(loss, distance, strict=True)
    ]


@pytest.mark.parametrize(("weight", "factor", "num_clusters"), [(0.5, 1.5, 3), (0.3, 2, 1), (0, 1.2, 2), (1, 3, 4)])
def test_the_choice_is_the_slow_one(weight: float, factor: float, num_clusters: int) -> None:
    inputs = round_inputs(num_id=12, num_pool=40, budget=10)
    assert inputs.measures is not None
    scores = slow_scores(inputs.measures, weight, num_clusters)
    candidates = sorted(sorted(range(40), key=lambda i: -scores[i])[: math.floor(factor * 10 + 1e-9)])
    features = inputs.measures.ood_features[candidates]
    expected = [candidates[row] for row in slow_farthest_first(features, inputs.measures.id_features, 10)]
    assert MakSampler(weight, factor, num_clusters).select(inputs).tolist() == expected


@settings(max_examples=20)
@given(rows=st.integers(1, 15), others=st.integers(1, 6), data=st.data(), seed=st.integers(0, 99))
def test_farthest_first_is_the_naive_one(rows: int, others: int, data: st.DataObject, seed: int) -> None:
    count = data.draw(st.integers(1, rows))
    features, fixed = unit_rows(rows, 4, seed), unit_rows(others, 4, seed + 100)
    assert farthest_first(features, fixed, count).tolist() == slow_farthest_first(features, fixed, count)


@settings(max_examples=10)
@given(seed=st.integers(0, 99), budget=st.integers(1, 25))
def test_permuting_the_pool_permutes_the_picks(seed: int, budget: int) -> None:
    inputs = round_inputs(num_id=12, num_pool=25, budget=budget, seed=seed)
    assert inputs.measures is not None
    order = np.random.default_rng(seed).permutation(25)
    permuted = PoolMeasures(
        inputs.measures.id_features, inputs.measures.ood_features[order], inputs.measures.ood_loss[order]
    )
    sampler = MakSampler(num_clusters=3)
    picks = sampler.select(dataclasses.replace(inputs, measures=permuted))
    assert order[picks].tolist() == sampler.select(inputs).tolist()


def test_a_budget_of_the_whole_pool_takes_all_of_it() -> None:
    picks = MakSampler(num_clusters=2).select(round_inputs(num_id=5, num_pool=30, budget=30))
    assert sorted(picks.tolist()) == list(range(30))
    assert picks.dtype == np.int64


def test_with_no_more_candidates_than_the_budget_the_scores_alone_choose() -> None:
    inputs = round_inputs(num_id=5, num_pool=30, budget=8)
    assert inputs.measures is not None
    best = np.argsort(-inputs.measures.ood_loss)[:8]
    picks = MakSampler(loss_weight=1, candidates=1, num_clusters=2).select(inputs)
    assert sorted(picks.tolist()) == sorted(best.tolist())


@pytest.mark.parametrize(("factor", "budget", "count"), [(1.5, 5, 7), (1.5, 7, 10), (1.15, 100, 115), (1.1, 30, 33)])
def test_candidates_are_rounded_down_as_released(factor: float, budget: int, count: int) -> None:
    """With scores by index alone, no pick is below the best floor(factor * K)."""
    inputs = round_inputs(num_id=5, num_pool=200, budget=budget)
    axes = np.zeros((200, 9), np.float32)
    axes[:, 0] = 1
    axes[200 - count, :2] = (0, 1)  # of the candidates, the last one is farthest from all others
    axes[200 - count - 1, :3] = (0, 0, 1)  # and the next one would be, were it a candidate
    measures = PoolMeasures(axes[[-1] * 5], axes, np.arange(200, dtype=np.float32))
    picks = MakSampler(loss_weight=1, candidates=factor, num_clusters=1).select(
        dataclasses.replace(inputs, measures=measures)
    )
    assert picks[0] == 200 - count
    assert 200 - count - 1 not in picks


def test_duplicates_are_picked_once_each_and_last() -> None:
    # Rows whose products are exact, so that equal ones are equal in every bit.
    axes = np.eye(6, dtype=np.float32)
    picks = farthest_first(axes[[3, 1, 3, 2, 3, 1]], axes[[0]], 6)
    assert picks.tolist() == [0, 1, 3, 2, 4, 5]


def test_equal_ones_go_by_index() -> None:
    inputs = round_inputs(num_id=4, num_pool=200, budget=40)
    axes = np.eye(9, dtype=np.float32)
    # In the last case the scores choose the candidates, the last 60, and among those all are
    # equally far.
    for loss, expected in (
        (np.full(200, 3.3), range(40)),
        (np.arange(200) % 2, range(1, 81, 2)),
        (np.arange(200), range(140, 180)),
    ):
        same = PoolMeasures(axes[[0] * 4], axes[[1] * 200], loss.astype(np.float32))
        picks = MakSampler(num_clusters=1).select(dataclasses.replace(inputs, measures=same))
        assert picks.tolist() == list(expected)


def test_hard_near_and_varied_images_are_preferred() -> None:
    axes = np.eye(9, dtype=np.float32)
    near, far = (axes[0] + 0.3 * axes[1]) / np.sqrt(np.float32(1.09)), axes[5]
    measures = PoolMeasures(axes[[0] * 5], np.stack([near, far, near, far]), np.array([5, 5, 1, 1], np.float32))
    inputs = dataclasses.replace(round_inputs(5, 4, budget=1), measures=measures)
    assert MakSampler(candidates=1, num_clusters=1).select(inputs).tolist() == [0]
    assert MakSampler(loss_weight=0, candidates=2, num_clusters=1).select(inputs).tolist() == [0]
    assert MakSampler(loss_weight=1, candidates=2, num_clusters=1).select(inputs).tolist() == [1]  # farther from the ID


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=10))
def test_z_scores_have_mean_0_and_deviation_1_or_are_all_0(values: list[float]) -> None:
    scores = z_score(np.array(values, dtype=np.float32))
    assert abs(scores.mean()) < 1e-4
    assert not scores.any() or scores.std() == pytest.approx(1)


def test_rounding_noise_is_no_spread() -> None:
    above = np.nextafter(np.float32(3.3), np.float32(4))
    assert not z_score(np.array([3.3, above, 3.3], np.float32)).any()
    assert not z_score(np.zeros(1, np.float32)).any()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id_features": unit_rows(4, 9)}, r"id_features must be of shape \(5, 9\), not \(4, 9\)"),
        ({"ood_features": unit_rows(30, 8)}, r"ood_features must be of shape \(30, 9\), not \(30, 8\)"),
        ({"ood_loss": np.zeros(29, np.float32)}, r"ood_loss must be of shape \(30,\), not \(29,\)"),
        ({"ood_loss": np.full(30, np.nan, np.float32)}, "ood_loss is not finite"),
    ],
)
def test_wrong_measures_are_named(change: dict[str, Float32], named: str) -> None:
    inputs = round_inputs(num_id=5, num_pool=30, budget=8)
    assert inputs.measures is not None
    wrong = dataclasses.replace(inputs, measures=dataclasses.replace(inputs.measures, **change))
    with pytest.raises(ValueError, match=named):
        MakSampler(num_clusters=2).select(wrong)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"loss_weight must be in 0\.\.1, not 1\.5"):
        MakSampler(loss_weight=1.5)
    with pytest.raises(ValueError, match=r"candidates must be at least 1, not 0\.9"):
        MakSampler(candidates=0.9)


# --- through a configuration and a round


def config(**changed: object) -> PretrainConfig:
    made = {"sampler": "mak", "sample_budget": 10, "num_clusters": 4, "ood_neighbors": 5, "mak_candidates": 2}
    return PretrainConfig.resolve({**made, **changed})


def selected(made: PretrainConfig) -> list[int]:
    inputs = round_inputs(num_id=20, num_pool=40, budget=10)
    sampler = build_sampler(made)
    assert sampler is not None
    tailness = np.zeros(20, np.float32)
    return sampling_round(inputs.id_z, inputs.ood_z, tailness, sampler, made, 1, inputs.measures)["selected"].tolist()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mak_loss_weight", 0.1),
        ("mak_candidates", 1.2),
        ("num_clusters", 1),
        ("kmeans_restarts", 20),
        ("sample_budget", 9),
        ("seed", 4),
    ],
)
def test_every_setting_counts(setting: str, value: object) -> None:
    few = {"kmeans_restarts": 1, "num_clusters": 9, "mak_loss_weight": 0.3}
    assert selected(config(**few)) != selected(config(**{**few, setting: value}))


def test_a_round_without_measures_says_what_is_missing() -> None:
    sampler = build_sampler(config())
    assert isinstance(sampler, MakSampler)
    with pytest.raises(ValueError, match="needs the round's measures: make them with measure_pool"):
        sampling_round(unit_rows(20), unit_rows(40), np.zeros(20, np.float32), sampler, config(), 1)
