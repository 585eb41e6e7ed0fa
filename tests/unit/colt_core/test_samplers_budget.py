"""Cluster weights and integer budgets."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.samplers.budget import budgeted_clusters, cluster_weights, integer_budgets

REMAINDERS = st.sampled_from(["largest", "last"])


def test_weights_are_the_softmax_of_standardised_tailness() -> None:
    tailness = [-0.1, -0.4, -0.25]
    mean = sum(tailness) / 3
    deviation = math.sqrt(sum((t - mean) ** 2 for t in tailness) / 2)  # unbiased
    exponentials = [math.exp((t - mean) / deviation / 0.5) for t in tailness]
    weights = cluster_weights(np.array(tailness), np.ones(3, dtype=bool), 0.5)
    assert weights == pytest.approx([e / sum(exponentials) for e in exponentials])


def test_the_tail_is_granted_more() -> None:
    tailness = np.array([-0.5, -0.5, -0.1, -0.3], dtype=np.float32)
    clusters = budgeted_clusters(tailness, np.array([0, 0, 1, 2]), 3, 100)
    assert [cluster.size for cluster in clusters] == [2, 1, 1]
    assert [cluster.tailness for cluster in clusters] == pytest.approx([-0.5, -0.1, -0.3])
    assert clusters[1].budget > clusters[2].budget > clusters[0].budget > 0


@pytest.mark.parametrize("tailness", [0.0, -0.3, -1e-8])
def test_equal_scores_share_equally(tailness: float) -> None:
    """The released code divides by their deviation, 0: its budgets are garbage."""
    scores = np.full(1000, tailness, dtype=np.float32)
    scores[::7] *= 1 + np.finfo(np.float32).eps  # rounding is no difference
    clusters = budgeted_clusters(scores, np.arange(1000) % 4, 4, 10)
    assert [cluster.weight for cluster in clusters] == [0.25] * 4
    assert [cluster.budget for cluster in clusters] == [3, 3, 2, 2]


def test_one_cluster_is_granted_all() -> None:
    (cluster,) = budgeted_clusters(np.array([-0.5, -0.1], dtype=np.float32), np.array([0, 0]), 1, 7)
    assert (cluster.size, cluster.weight, cluster.budget) == (2, 1.0, 7)


@pytest.mark.parametrize("remainder", ["largest", "last"])
def test_an_empty_cluster_is_granted_nothing_and_shifts_no_other(remainder: str) -> None:
    tailness, labels = np.array([-0.5, -0.1, -0.2], dtype=np.float32), np.array([0, 2, 2])
    with_empty = budgeted_clusters(tailness, labels, 4, 11, remainder=remainder)
    without = budgeted_clusters(tailness, labels // 2, 2, 11, remainder=remainder)
    assert (with_empty[0], with_empty[2]) == without
    assert {(with_empty[i].budget, with_empty[i].tailness) for i in (1, 3)} == {(0, None)}  # 0 would be "very tail"


@pytest.mark.parametrize(("remainder", "budgets"), [("largest", [3, 4, 3]), ("last", [2, 4, 4])])
def test_where_the_remainder_goes(remainder: str, budgets: list[int]) -> None:
    weights = np.array([0.27, 0.44, 0.29])  # of 10: 2.7, 4.4, 2.9
    assert integer_budgets(weights, 10, remainder).tolist() == budgets


@settings(max_examples=200)
@given(
    raw=st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda raw: sum(raw) > 1e-3),
    budget=st.integers(1, 10**7),
    remainder=REMAINDERS,
)
def test_budgets_always_sum_to_k(raw: list[float], budget: int, remainder: str) -> None:
    weights = np.array(raw) / sum(raw)
    budgets = integer_budgets(weights, budget, remainder)
    assert budgets.sum() == budget
    assert (budgets >= 0).all()
    assert not budgets[weights == 0].any()
    if remainder == "largest":
        assert (np.abs(budgets - weights * budget) < 1 + 1e-6).all()


@settings(max_examples=100)
@given(
    tailness=st.lists(st.floats(-1, 0, width=32), min_size=1, max_size=60),
    num_clusters=st.integers(1, 12),
    budget=st.integers(1, 5000),
    temperature=st.floats(1e-3, 1e3),
    remainder=REMAINDERS,
    seed=st.integers(0, 1000),
)
def test_any_clustering_gets_the_whole_budget(
    tailness: list[float], num_clusters: int, budget: int, temperature: float, remainder: str, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(num_clusters, size=len(tailness))
    scores = np.array(tailness, dtype=np.float32)
    clusters = budgeted_clusters(scores, labels, num_clusters, budget, temperature, remainder)
    assert sum(cluster.budget for cluster in clusters) == budget
    assert sum(cluster.weight for cluster in clusters) == pytest.approx(1)
    assert all(cluster.budget == 0 for cluster in clusters if cluster.size == 0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_an_impossible_temperature_is_named(temperature: float) -> None:
    with pytest.raises(ValueError, match=f"not {temperature}"):
        cluster_weights(np.zeros(2), np.ones(2, dtype=bool), temperature)


def test_no_occupied_cluster() -> None:
    with pytest.raises(ValueError, match="every cluster is empty"):
        cluster_weights(np.zeros(2), np.zeros(2, dtype=bool), 1.0)
