"""Clustering, selection, scoring of the pool, and the round that composes them."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.config import PretrainConfig
from colt_core.embeddings import as_pool_embeddings
from colt_core.events import Cluster, Float32, RoundDone
from colt_core.samplers.build import build_sampler
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.colt import ColtSampler, nearest_unpicked
from colt_core.samplers.nearest import nearest_training
from colt_core.samplers.ood_tailness import neighborhood_tailness, score_ood
from colt_core.samplers.protocol import RoundInputs
from colt_core.samplers.random import RandomSampler
from colt_core.samplers.round import sampling_round
from colt_core.samplers.search import faiss, most_similar, most_similar_of_many, search_in
from colt_core.samplers.spread import SpreadSampler
from colt_core.seeding import generator


def unit_rows(count: int, dim: int = 6, seed: int = 0) -> Float32:
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def blobs(sizes: list[int], seed: int = 0) -> Float32:
    """Tight groups around the axes."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([np.eye(len(sizes))[[axis] * size] for axis, size in enumerate(sizes)])
    rows = (rows + 0.02 * rng.standard_normal(rows.shape)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow_selection(centers: Float32, budgets: list[int], ood_z: Float32) -> list[int]:
    """The released way: scan the whole pool for every cluster."""
    picked: list[int] = []
    for center, budget in zip(centers, budgets, strict=True):
        by_similarity = np.argsort(-(ood_z @ center), kind="stable").tolist()
        picked += [index for index in by_similarity if index not in picked][:budget]
    return picked


def config(**settings: object) -> PretrainConfig:
    return PretrainConfig.resolve({"sample_budget": 20, "num_clusters": 4, "ood_neighbors": 5, **settings})


# --- k-means


def test_kmeans_finds_the_groups_and_gives_unit_centres() -> None:
    z = blobs([40, 10, 5])
    clustering = cluster_embeddings(z, 3)
    assert sorted(np.bincount(clustering.labels).tolist()) == [5, 10, 40]
    assert len(set(clustering.labels[:40])) == len(set(clustering.labels[40:50])) == 1
    np.testing.assert_allclose(np.linalg.norm(clustering.centers, axis=1), 1, rtol=1e-6)
    for cluster, center in enumerate(clustering.centers):
        mean = z[clustering.labels == cluster].mean(axis=0)
        np.testing.assert_allclose(center, mean / np.linalg.norm(mean), atol=1e-5)


def test_kmeans_is_a_function_of_its_seed() -> None:
    z = unit_rows(200)
    first, again, other = (cluster_embeddings(z, 7, restarts=1, seed=seed) for seed in (3, 3, 2**31 - 1))
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.centers, again.centers)
    assert not np.array_equal(first.centers, other.centers)


def test_kmeans_keeps_the_best_of_its_restarts() -> None:
    z = unit_rows(120)
    inertia = []
    for restarts in (1, 3, 20):
        labels = cluster_embeddings(z, 8, restarts).labels
        inertia.append(sum(((z[labels == c] - z[labels == c].mean(axis=0)) ** 2).sum() for c in range(8)))
    assert inertia[0] > inertia[2]
    assert inertia[0] >= inertia[1] >= inertia[2]


@pytest.mark.parametrize(("count", "num_clusters", "copies"), [(300, 10, 1), (60, 7, 12), (12, 10, 1)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_best_restart_counts_however_many_run_side_by_side(
    count: int, num_clusters: int, copies: int, threads: int
) -> None:
    z = np.concatenate([unit_rows(count // copies)] * copies)
    one_by_one = []
    for number in range(6):
        first = torch.randperm(count, generator=generator(3, "k-means", number))[:num_clusters].numpy()
        kmeans = faiss.Kmeans(z.shape[1], num_clusters, max_points_per_centroid=count, min_points_per_centroid=1)
        kmeans.train(z, init_centroids=z[first])
        one_by_one.append(kmeans)
    best = min(one_by_one, key=lambda kmeans: kmeans.obj[-1])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = cluster_embeddings(z, num_clusters, restarts=6, seed=3)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(found.labels, best.assign(z)[1])


def test_kmeans_trains_on_every_embedding(capfd: pytest.CaptureFixture[str]) -> None:
    """faiss' own default samples 256 a cluster: the centre of one cluster would not be the mean."""
    z = unit_rows(3000)
    mean = z.mean(axis=0)
    (center,) = cluster_embeddings(z, 1).centers
    np.testing.assert_allclose(center, mean / np.linalg.norm(mean), atol=1e-4)
    cluster_embeddings(z[:12], 10)
    assert capfd.readouterr() == ("", "")  # nor does it warn of few


def test_fewer_distinct_embeddings_than_clusters() -> None:
    z = np.repeat(blobs([1, 1, 1]), 5, axis=0)
    clustering = cluster_embeddings(z, 6)
    assert np.isfinite(clustering.centers).all()
    groups = clustering.labels.reshape(3, 5)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0])) == 3


def test_a_cluster_that_cancels_out_has_no_direction() -> None:
    z = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert cluster_embeddings(z, 1).centers.tolist() == [[0, 0]]


@pytest.mark.parametrize("num_clusters", [0, 6])
def test_an_impossible_number_of_clusters_is_named(num_clusters: int) -> None:
    with pytest.raises(ValueError, match=rf"1\.\.5, .* not {num_clusters}"):
        cluster_embeddings(unit_rows(5), num_clusters)
    with pytest.raises(ValueError, match="restarts must be at least 1, not 0"):
        cluster_embeddings(unit_rows(5), 2, restarts=0)


# --- selection


@settings(max_examples=60)
@given(budgets=st.lists(st.integers(0, 12), min_size=1, max_size=8), spare=st.integers(0, 40), seed=st.integers(0, 999))
def test_selection_is_greedy_and_picks_none_twice(budgets: list[int], spare: int, seed: int) -> None:
    budgets = [*budgets, 1]
    ood_z = unit_rows(sum(budgets) + spare, seed=seed)
    centers = unit_rows(len(budgets), seed=seed + 1)
    selected = nearest_unpicked(centers, budgets, ood_z)
    assert selected.tolist() == slow_selection(centers, budgets, ood_z)
    assert len(set(selected.tolist())) == sum(budgets)


@pytest.mark.parametrize("cap", [1, 60, 200])
def test_searching_in_parts_changes_nothing(cap: int) -> None:
    ood_z, centers, budgets = unit_rows(150), unit_rows(6, seed=1), [20, 3, 40, 1, 10, 30]
    assert nearest_unpicked(centers, budgets, ood_z, max_candidates=cap).tolist() == slow_selection(
        centers, budgets, ood_z
    )


def test_identical_pool_images_are_still_picked_once_each() -> None:
    ood_z = np.repeat(unit_rows(1), 30, axis=0)
    selected = nearest_unpicked(unit_rows(3, seed=1), [10, 10, 10], ood_z)
    assert sorted(selected.tolist()) == list(range(30))


def test_a_budget_larger_than_the_pool_is_named() -> None:
    with pytest.raises(ValueError, match="budget of 6 is more than the 5"):
        nearest_unpicked(unit_rows(2), [3, 3], unit_rows(5))


def round_inputs(budgets: list[int], tailness: list[float], pool: int = 60, round_number: int = 1) -> RoundInputs:
    clusters = tuple(Cluster(1, t, b / sum(budgets), b) for t, b in zip(tailness, budgets, strict=True))
    centers = unit_rows(len(budgets), seed=1)
    return RoundInputs(round_number, 5, sum(budgets), unit_rows(10), unit_rows(pool, seed=2), centers, clusters)


def test_clusters_pick_in_order_of_index_or_of_tailness() -> None:
    inputs = round_inputs([6, 0, 4, 5], [-0.4, -0.1, -0.2, -0.3])
    for order, sequence in (("index", [0, 2, 3]), ("tail_first", [2, 3, 0])):
        budgets = [inputs.clusters[c].budget for c in sequence]
        expected = slow_selection(inputs.centers[sequence], budgets, inputs.ood_z)
        assert ColtSampler(order).select(inputs).tolist() == expected


def test_random_draws_anew_each_round_unless_told_to_keep_the_first() -> None:
    first, second = (round_inputs([7, 13], [0.0, 0.0], round_number=n) for n in (1, 2))
    redrawn = [RandomSampler().select(inputs).tolist() for inputs in (first, second, second)]
    assert redrawn[0] != redrawn[1] == redrawn[2]
    kept = [RandomSampler(redraw=False).select(inputs).tolist() for inputs in (first, second)]
    assert kept[0] == kept[1] == redrawn[0]
    for draw in redrawn:
        assert len(set(draw)) == 20
        assert set(draw) <= set(range(60))
    other_seed = RandomSampler().select(dataclasses.replace(first, seed=6)).tolist()
    assert other_seed != redrawn[0]


def test_random_is_uniform() -> None:
    counts = np.zeros(60)
    for round_number in range(300):
        counts[RandomSampler().select(round_inputs([20], [0.0], round_number=round_number))] += 1
    assert np.abs(counts - 100).max() < 40  # binomial deviation is 8


def test_the_sampler_that_a_config_names() -> None:
    assert isinstance(build_sampler(config(sampler="colt", cluster_order="tail_first")), ColtSampler)
    assert isinstance(build_sampler(config(sampler="random", redraw=False)), RandomSampler)
    assert build_sampler(PretrainConfig(sampler="none")) is None


# --- tailness of the pool


def test_ood_tailness_is_the_similarity_weighted_mean_of_the_neighbours() -> None:
    id_z, ood_z, centers = unit_rows(30), unit_rows(50, seed=1), unit_rows(3, seed=2)
    tailness = -np.random.default_rng(3).random(30, dtype=np.float32)
    scores = score_ood(ood_z, id_z, tailness, centers, neighbors=4)
    for row, embedding in enumerate(ood_z):
        nearest = sorted(range(30), key=lambda i: -(embedding @ id_z[i]))[:4]
        weights = [max(0.0, float(embedding @ id_z[i])) for i in nearest]
        expected = sum(w * float(tailness[i]) for w, i in zip(weights, nearest, strict=True)) / sum(weights)
        assert scores.tailness[row] == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(scores.cluster, (ood_z @ centers.T).argmax(axis=1))
    np.testing.assert_allclose(scores.similarity, (ood_z @ centers.T).max(axis=1), rtol=1e-5, atol=1e-6)


def test_negative_similarities_weigh_nothing() -> None:
    tailness = np.array([-0.2, -0.8, -0.4], dtype=np.float32)
    similarity = np.array([[0.5, -0.4, -0.5], [-0.1, -0.2, -0.3], [0.5, 0.25, 0.25], [0, 0, -1]], dtype=np.float32)
    scores = neighborhood_tailness(similarity, np.tile(np.arange(3), (4, 1)), tailness)
    assert scores.tolist() == pytest.approx([-0.2, -1.4 / 3, -0.4, -1.4 / 3])


def test_more_neighbours_than_id_images() -> None:
    scores = score_ood(unit_rows(4), unit_rows(3, seed=1), np.full(3, -0.5, np.float32), unit_rows(2), neighbors=20)
    assert scores.tailness.tolist() == pytest.approx([-0.5] * 4)


def test_scoring_in_parts_changes_nothing() -> None:
    inputs = unit_rows(50), unit_rows(9, seed=1), -np.arange(9, dtype=np.float32), unit_rows(3, seed=2), 4
    whole = score_ood(*inputs)
    parts = score_ood(*inputs, block_floats=7 * 6)
    np.testing.assert_allclose(parts.tailness, whole.tailness, rtol=1e-5)
    np.testing.assert_array_equal(parts.cluster, whole.cluster)
    np.testing.assert_allclose(parts.similarity, whole.similarity, rtol=1e-5)


def test_the_approximate_search_misses_few_neighbours_and_none_where_it_is_exact() -> None:
    base, queries = unit_rows(5000, dim=8), unit_rows(200, dim=8, seed=1)
    exact, found = (search_in(base, kind)(queries, 20) for kind in ("exact", "approximate"))
    recall = np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(exact[1], found[1], strict=True)])
    assert 0.9 < recall < 1
    assert (np.diff(found[0]) <= 0).all()
    few = search_in(base[:100], "approximate")(queries, 20)
    np.testing.assert_array_equal(few[1], most_similar(queries, base[:100], 20)[1])


def test_cells_too_small_for_k_neighbours_are_made_up_for() -> None:
    base, queries = unit_rows(5000, dim=8), unit_rows(5, dim=8, seed=1)
    _, index = search_in(base, "approximate")(queries, 4990)
    assert (np.sort(index, axis=1)[:, 1:] > np.sort(index, axis=1)[:, :-1]).all() and index.min() >= 0


def mapped(z: Float32, folder: Path) -> np.ndarray:
    """A half-precision memory map of the rows."""
    array = np.memmap(folder / "z.bin", dtype=np.float16, mode="w+", shape=z.shape)
    array[:] = z
    return array


@pytest.mark.parametrize("k", [1, 30, 400])
def test_a_mapped_base_is_searched_in_blocks(k: int, tmp_path: Path) -> None:
    half = mapped(unit_rows(400, seed=1), tmp_path)
    similarity, index = most_similar_of_many(unit_rows(3), half, k, block_floats=64 * 6)
    expected = unit_rows(3) @ np.asarray(half, dtype=np.float32).T
    np.testing.assert_array_equal(index, np.argsort(-expected, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(similarity, np.take_along_axis(expected, index, axis=1), atol=1e-6)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("dim", [6, 127])
def test_equal_rows_come_by_row_number_whatever_is_wanted(dim: int, half: bool, tmp_path: Path) -> None:
    originals = unit_rows(7, dim)
    copied = np.random.default_rng(0).integers(7, size=1003)
    base = mapped(originals[copied], tmp_path) if half else originals[copied]
    center = unit_rows(2, dim, seed=1)
    expected = np.lexsort((np.arange(1003), -(base[:].astype(np.float64) @ center[0].astype(np.float64)).round(9)))
    for k in (1, 2, 100, 500, 1003):
        for rows_in_block in (1, 7, 64, 1003):
            similarity, index = most_similar_of_many(center, base, k, block_floats=dim * rows_in_block)
            assert index[0].tolist() == expected[:k].tolist()
            assert (np.diff(similarity) <= 0).all()


@pytest.mark.parametrize("sampler", [ColtSampler(), SpreadSampler(stop=0)])
def test_which_copies_are_picked_depends_on_no_budget_and_no_precision(
    sampler: ColtSampler | SpreadSampler, tmp_path: Path
) -> None:
    copied = np.random.default_rng(0).integers(6, size=500)
    ood_z = unit_rows(6, 64)[copied]
    half = mapped(ood_z, tmp_path)
    inputs = [round_inputs([budget, 2 * budget], [0.0, 0.0], pool=1) for budget in (5, 20, 60)]
    for budgeted in inputs:
        picks = [
            sampler.select(dataclasses.replace(budgeted, centers=unit_rows(2, 64, seed=1), ood_z=pool)).tolist()
            for pool in (ood_z, half)
        ]
        assert sorted(picks[0]) == sorted(picks[1])
        for original in range(6):
            copies = np.flatnonzero(copied == original)
            taken = np.isin(copies, picks[0])
            assert taken[: taken.sum()].all(), "the first copies are taken first"


def test_a_mapped_base_may_be_read_only(tmp_path: Path) -> None:
    half = mapped(unit_rows(400, seed=1), tmp_path)
    half.flush()
    read_only = np.memmap(tmp_path / "z.bin", dtype=np.float16, mode="r", shape=half.shape)
    with warnings.catch_warnings(action="error"):
        found = most_similar_of_many(unit_rows(3), read_only, 5)
    np.testing.assert_array_equal(found, most_similar_of_many(unit_rows(3), half, 5))


def test_a_round_on_a_mapped_pool_is_that_of_its_values_in_memory(tmp_path: Path) -> None:
    half, id_z, chosen = mapped(unit_rows(100, seed=1), tmp_path), unit_rows(80), config()
    picker = build_sampler(chosen)
    assert picker is not None
    found, expected = (
        sampling_round(id_z, ood_z, -np.arange(80, dtype=np.float32), picker, chosen, 1)
        for ood_z in (half, np.asarray(half, dtype=np.float32))
    )
    np.testing.assert_array_equal(found["selected"], expected["selected"])
    np.testing.assert_array_equal(found["ood_cluster"], expected["ood_cluster"])
    np.testing.assert_allclose(found["ood_tailness"], expected["ood_tailness"], rtol=1e-5)
    half[70] *= 2
    with pytest.raises(ValueError, match="ood_z must be L2-normalised: row 70 has length 2"):
        sampling_round(id_z, half, np.zeros(80, np.float32), picker, chosen, 1)
    with pytest.raises(ValueError, match="pool must be L2-normalised: row 70 has length 2"):
        as_pool_embeddings(half, "pool", block_floats=16 * 6)


def test_search_takes_as_many_threads_as_torch() -> None:
    """faiss would take every core, beside a training that was given one."""
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            similarity, index = most_similar(unit_rows(2), unit_rows(5, seed=1), 9)
            assert faiss.omp_get_max_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert similarity.shape == index.shape == (2, 5)
    assert (np.diff(similarity) <= 0).all()


# --- the round


@pytest.mark.parametrize("sampler", ["colt", "random"])
def test_a_round_fills_the_event(sampler: str) -> None:
    chosen = config(sampler=sampler)
    id_z, ood_z = unit_rows(80), unit_rows(100, seed=1)
    tailness = -np.random.default_rng(0).random(80, dtype=np.float32)
    picker = build_sampler(chosen)
    assert picker is not None
    fields = sampling_round(id_z, ood_z, tailness, picker, chosen, 2)
    event = RoundDone(round=2, epoch=126, step=1, ood_embedded=100, seconds=0.1, **fields)
    assert sum(cluster.size for cluster in event.clusters) == 80
    assert sum(cluster.budget for cluster in event.clusters) == len(set(event.selected.tolist())) == 20
    for c, cluster in enumerate(event.clusters):
        assert cluster.tailness == pytest.approx(tailness[event.id_cluster == c].mean())
    for name, size, kind in (
        ("id_cluster", 80, np.int64),
        ("selected", 20, np.int64),
        ("ood_tailness", 100, np.float32),
        ("ood_cluster", 100, np.int64),
        ("ood_similarity", 100, np.float32),
        ("nearest", 20, np.int64),
        ("nearest_similarity", 20, np.float32),
    ):
        array = getattr(event, name)
        assert (array.shape, array.dtype) == ((size, 8) if name.startswith("nearest") else (size,), kind)


def slow_nearest(ood_z: Float32, picks: list[int], id_z: Float32, k: int) -> list[list[int]]:
    """One dot product after another."""
    cosines = [
        [float(np.dot(ood_z[pick].astype(np.float64), row.astype(np.float64))) for row in id_z] for pick in picks
    ]
    return [sorted(range(len(id_z)), key=lambda n: -of_pick[n])[:k] for of_pick in cosines]


@pytest.mark.parametrize("block_floats", [1, 50, 2**21])
@pytest.mark.parametrize("num_train", [5, 8, 90])
def test_nearest_training_images_are_those_of_all_products(num_train: int, block_floats: int, tmp_path: Path) -> None:
    id_z, ood_z, k = unit_rows(num_train), unit_rows(300, seed=1), min(8, num_train)
    picks = np.random.default_rng(0).permutation(300)[:40]
    half = np.memmap(tmp_path / "z.bin", dtype=np.float16, mode="w+", shape=ood_z.shape)
    half[:] = ood_z
    for z in (ood_z, half):
        similarity, index = nearest_training(z, picks, id_z, k, block_floats)
        exact = np.asarray(z, dtype=np.float32)
        assert index.tolist() == slow_nearest(exact, picks.tolist(), id_z, k)
        expected = np.einsum("kd,knd->kn", exact[picks], id_z[index])
        np.testing.assert_allclose(similarity, expected, atol=1e-6)
        assert (np.diff(similarity, axis=1) <= 0).all()


@pytest.mark.parametrize(
    "settings", [{}, {"neighbor_search": "approximate"}, {"sampler": "random"}, {"ood_neighbors": 1}]
)
@pytest.mark.parametrize("in_part", [False, True])
def test_a_round_finds_the_training_images_nearest_to_its_picks(settings: dict[str, object], in_part: bool) -> None:
    """Exactly, however the scores of the pool are found. Of a part of the pool too."""
    chosen = config(**settings)
    id_z, ood_z = unit_rows(80), unit_rows(100, seed=1)
    sampler = build_sampler(chosen)
    assert sampler is not None
    pickable = np.arange(1, 100, 3) if in_part else None
    found = sampling_round(id_z, ood_z, np.zeros(80, np.float32), sampler, chosen, 1, pickable=pickable)
    picks = found["selected"].tolist()
    assert len(picks) == 20 and (not in_part or {pick % 3 for pick in picks} == {1})
    assert found["nearest"].tolist() == slow_nearest(ood_z, picks, id_z, 8)


def test_a_round_of_very_many_picks_finds_no_nearest_images(monkeypatch: pytest.MonkeyPatch) -> None:
    id_z, ood_z = unit_rows(80), unit_rows(100, seed=1)
    for most, found in ((20, 20), (19, 0)):
        monkeypatch.setattr("colt_core.samplers.kinds._MOST_PICKS_WITH_NEAREST", most)
        fields = sampling_round(id_z, ood_z, np.zeros(80, np.float32), ColtSampler(), config(), 1)
        assert fields["nearest"].shape == fields["nearest_similarity"].shape == (found, 8)
        assert len(fields["selected"]) == 20


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("num_clusters", 5, "id_cluster"),
        ("kmeans_restarts", 1, "id_cluster"),
        ("seed", 9, "id_cluster"),
        ("cluster_temperature", 0.3, "selected"),
        ("sample_budget", 19, "selected"),
        ("budget_remainder", "last", "selected"),
        ("ood_neighbors", 3, "ood_tailness"),
    ],
)
def test_a_round_reads_every_setting(setting: str, value: object, changed: str) -> None:
    id_z, ood_z = unit_rows(80), unit_rows(100, seed=1)
    tailness = -np.random.default_rng(0).random(80, dtype=np.float32)
    default = sampling_round(id_z, ood_z, tailness, ColtSampler(), config(), 1)
    other = sampling_round(id_z, ood_z, tailness, ColtSampler(), config(**{setting: value}), 1)
    assert default[changed].tolist() != other[changed].tolist()


def test_colt_picks_around_the_tail() -> None:
    """The cluster of least-crowded images gets most of the budget, and its OOD neighbours the
    highest tailness."""
    id_z, ood_z = blobs([60, 30, 8]), blobs([40, 40, 40], seed=1)
    tailness = np.repeat(np.array([-0.9, -0.8, -0.1], dtype=np.float32), [60, 30, 8])
    chosen = config(num_clusters=3, cluster_temperature=0.5)
    fields = sampling_round(id_z, ood_z, tailness, ColtSampler(), chosen, 1)
    assert np.count_nonzero(fields["selected"] >= 80) > 15
    assert fields["ood_tailness"][80:].min() > fields["ood_tailness"][:80].max()


def test_a_round_repeats_itself_from_tensors_and_arrays() -> None:
    id_z, ood_z = unit_rows(80), unit_rows(100, seed=1)
    tailness = -np.random.default_rng(0).random(80, dtype=np.float32)
    arrays = sampling_round(id_z, ood_z, tailness, ColtSampler(), config(), 1)
    tensors = sampling_round(*map(torch.from_numpy, (id_z, ood_z, tailness)), ColtSampler(), config(), 1)
    assert arrays["clusters"] == tensors["clusters"]
    for name in ("id_cluster", "selected", "ood_tailness", "ood_cluster", "ood_similarity"):
        assert np.array_equal(arrays[name], tensors[name])


def test_a_collapsed_model_does_not_break_a_round() -> None:
    same = np.repeat(unit_rows(1), 50, axis=0)
    fields = sampling_round(same, same, np.zeros(50, np.float32), ColtSampler(), config(), 1)
    assert len(set(fields["selected"].tolist())) == 20
    assert np.isfinite(fields["ood_tailness"]).all()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id_z": 2 * unit_rows(10)}, "id_z must be L2-normalised: row 0 has length 2"),
        ({"ood_z": np.full((30, 6), np.nan, np.float32)}, "ood_z .* length nan"),
        ({"ood_z": np.ones(6, np.float32)}, r"ood_z .* \(6,\)"),
        ({"ood_z": unit_rows(30, dim=7)}, "6 dimensions, ood_z 7"),
        ({"tailness": np.zeros(9, np.float32)}, "10 finite scores"),
        ({"tailness": np.full(10, np.nan, np.float32)}, "10 finite scores"),
        ({"ood_z": unit_rows(19)}, "sample_budget 20 is more than the 19"),
        ({"id_z": unit_rows(3), "tailness": np.zeros(3, np.float32)}, r"num_clusters must be in 1\.\.3"),
    ],
)
def test_wrong_inputs_of_a_round_are_named(change: dict[str, Float32], named: str) -> None:
    inputs = {"id_z": unit_rows(10), "ood_z": unit_rows(30), "tailness": np.zeros(10, np.float32), **change}
    with pytest.raises(ValueError, match=named):
        sampling_round(**inputs, sampler=ColtSampler(), config=config(), round_number=1)
