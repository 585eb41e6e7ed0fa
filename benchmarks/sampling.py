"""A sampling round without its forward passes, for several sizes of the pool.

    python -m benchmarks.sampling

Its parts are k-means of the ID embeddings, budgets and selection. benchmarks.neighbors measures the
pool's tailness. The plain implementation is scikit-learn's k-means with 10 restarts, and the full
similarity matrix, masked cluster by cluster. Embeddings of a pool that is too large for memory are
a half-precision memory map in the temporary folder, as in a run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from benchmarks.report import Report
from benchmarks.timing import median_ms, peak_mib
from colt_core.events import Float32, Int64
from colt_core.samplers.budget import budgeted_clusters
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.colt import nearest_unpicked
from colt_core.samplers.mak import MakSampler
from colt_core.samplers.protocol import PoolMeasures, RoundInputs
from colt_core.training.measure import pairwise_loss
from colt_core.training.pool_embeddings import LARGEST_IN_MEMORY

CLUSTERS, DIM, BUDGET, NUM_ID = 10, 128, 10_000, 12_400
PASSES, BATCH, TEMPERATURE, FEATURES = 10, 512, 0.2, 512  # for MAK, with ResNet-18's features
_BLOCK = 1_000_000


def unit_rows(count: int, seed: int, dim: int = DIM) -> Float32:
    """(count, dim) normalised embeddings in loose groups, made without a second copy."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dim), dtype=np.float32)
    rows += 2 * rng.standard_normal((CLUSTERS, dim), dtype=np.float32)[rng.integers(CLUSTERS, size=count)]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def pool_rows(count: int, folder: Path) -> NDArray[np.floating]:
    """`unit_rows` in memory or in a file, chosen as in `embed_pool`."""
    if 4 * count * DIM <= LARGEST_IN_MEMORY:
        return unit_rows(count, seed=1)
    rows = np.memmap(folder / "pool", dtype=np.float16, mode="w+", shape=(count, DIM))
    for start in range(0, count, _BLOCK):
        block = rows[start : start + _BLOCK]
        block[:] = unit_rows(len(block), seed=start)
    return rows


def plain_selection(centers: Float32, budgets: list[int], ood_z: Float32) -> Int64:
    """Scan the whole pool's similarities for every cluster, and mask picked images."""
    similarity = torch.from_numpy(ood_z) @ torch.from_numpy(centers).T
    picks = []
    for cluster, budget in enumerate(budgets):
        picked = similarity[:, cluster].topk(budget).indices
        similarity[picked] = -torch.inf
        picks.append(picked)
    return torch.cat(picks).numpy()


def round_of(id_z: Float32, tailness: Float32, ood_z: NDArray[np.floating]) -> Int64:
    """A COLT round without embedding and scoring."""
    clustering = cluster_embeddings(id_z, CLUSTERS)
    clusters = budgeted_clusters(tailness, clustering.labels, CLUSTERS, BUDGET)
    return nearest_unpicked(clustering.centers, [cluster.budget for cluster in clusters], ood_z)


def kmeans_rows(report: Report, sizes: list[int], repeats: int) -> list[list[str]]:
    """Measure our k-means and scikit-learn's, both with 10 restarts."""
    rows = []
    for size in sizes:
        id_z = unit_rows(size, seed=0)
        plain_ms = median_ms(partial(KMeans(CLUSTERS, n_init=10, random_state=0).fit, id_z), repeats)
        ours_ms = median_ms(partial(cluster_embeddings, id_z, CLUSTERS, restarts=10), repeats)
        report.figure(f"kmeans_{size}_ms", ours_ms)
        report.ratio(f"kmeans_{size}_sklearn_over_ours_time", plain_ms / ours_ms)
        rows.append([f"{size:,}", f"{plain_ms:.0f}", f"{ours_ms:.0f}", f"{plain_ms / ours_ms:.1f}"])
    return rows


def round_row(report: Report, size: int, ood_z: NDArray[np.floating], repeats: int) -> list[str]:
    """Measure selection and round for a pool, and plain selection if it is in memory."""
    id_z = unit_rows(NUM_ID, seed=0)
    tailness = -np.random.default_rng(0).random(NUM_ID, dtype=np.float32)
    centers, budgets = cluster_embeddings(id_z, CLUSTERS).centers, [BUDGET // CLUSTERS] * CLUSTERS
    ours: Callable[[], Int64] = partial(nearest_unpicked, centers, budgets, ood_z)
    plain_ms = None
    if ood_z.dtype == np.float32:
        plain: Callable[[], Int64] = partial(plain_selection, centers, budgets, ood_z)
        assert set(plain().tolist()) == set(ours().tolist())
        plain_ms = median_ms(plain, repeats)
    ours_ms = median_ms(ours, repeats)
    whole = partial(round_of, id_z, tailness, ood_z)
    whole_ms, mib = median_ms(whole, repeats), peak_mib(whole)
    report.figure(f"selection_{size}_ms", ours_ms)
    report.figure(f"round_{size}_ms", whole_ms)
    report.figure(f"round_{size}_peak_mib", mib)
    if plain_ms is not None:
        report.ratio(f"selection_{size}_plain_over_ours_time", plain_ms / ours_ms)
    shown = "" if plain_ms is None else f"{plain_ms:.0f}"
    return [f"{size:,}", shown, f"{ours_ms:.0f}", f"{whole_ms:.0f}", f"{mib:,.0f}"]


def mak_rows(report: Report, num_pool: int, budget: int) -> list[list[str]]:
    """Measure MAK's parts: losses from given embeddings, and the choice by them."""
    views = torch.from_numpy(unit_rows(PASSES * BATCH, seed=3)).view(PASSES, BATCH, DIM)
    loss_ms = median_ms(partial(pairwise_loss, views, TEMPERATURE), 3) * num_pool / BATCH
    loss = np.random.default_rng(0).random(num_pool, dtype=np.float32)
    measures = PoolMeasures(unit_rows(NUM_ID, 4, FEATURES), unit_rows(num_pool, 5, FEATURES), loss)
    embeddings = (measures.id_features, measures.ood_features)  # MAK reads only their sizes
    inputs = RoundInputs(1, 0, budget, *embeddings, np.empty((0, FEATURES), np.float32), (), measures)
    choice_ms = median_ms(partial(MakSampler(num_clusters=CLUSTERS).select, inputs), 1)
    report.figure(f"mak_losses_{num_pool}_ms", loss_ms)
    report.figure(f"mak_choice_{num_pool}_ms", choice_ms)
    return [
        [f"losses of all pairs of {PASSES} passes, batches of {BATCH}", f"{loss_ms:,.0f}"],
        [f"choice of {budget:,}, {FEATURES} features", f"{choice_ms:,.0f}"],
    ]


def main() -> None:
    """Print tables of k-means, rounds by pool size, and MAK."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="pools of up to a million images, without MAK")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    id_sizes, pool_sizes = [NUM_ID], [10_000, 100_000, 300_000, 1_000_000]
    if not arguments.quick:
        id_sizes, pool_sizes = [*id_sizes, 100_000], [*pool_sizes, 10_000_000]
    report = Report("sampling")
    report.table(
        f"K-means, {DIM} dimensions, C = {CLUSTERS}, 10 restarts, ms",
        ["ID images", "scikit-learn", "ours", "times faster"],
        kmeans_rows(report, id_sizes, arguments.repeats),
    )
    rows = []
    for size in pool_sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(round_row(report, size, pool_rows(size, Path(folder)), arguments.repeats))
    report.table(
        f"A round over {NUM_ID:,} ID images, K = {BUDGET:,}, without forward passes and scores, ms",
        [
            "pool",
            "plain selection",
            "our selection",
            "k-means + budgets + selection",
            "peak MiB, including the map's pages",
        ],
        rows,
    )
    if not arguments.quick:
        report.table(f"MAK, {NUM_ID:,} ID and 50,000 OOD images", ["", "ms"], mak_rows(report, 50_000, 5_000))
    report.close()


if __name__ == "__main__":
    main()
