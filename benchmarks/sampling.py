"""A sampling round without its forward passes, against a plain one:  python -m benchmarks.sampling

Plain: scikit-learn's k-means with 10 restarts, and the full similarity matrix, masked cluster by cluster.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from sklearn.cluster import KMeans

from benchmarks.timing import median_ms, peak_mib, print_table
from colt_core.events import Float32, Int64
from colt_core.samplers import MakSampler, PoolMeasures, RoundInputs
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.colt import nearest_unpicked
from colt_core.samplers.ood_tailness import score_ood
from colt_core.training.measure import pairwise_loss

CLUSTERS, DIM, NEIGHBORS = 10, 128, 20
PASSES, BATCH, TEMPERATURE, FEATURES = 10, 512, 0.2, 512  # of MAK: ResNet-18's features


def unit_rows(count: int, seed: int, dim: int = DIM) -> Float32:
    """(count, dim) embeddings in loose groups, made without a second copy of their size."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dim), dtype=np.float32)
    rows += 2 * rng.standard_normal((CLUSTERS, dim), dtype=np.float32)[rng.integers(CLUSTERS, size=count)]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def plain_selection(centers: Float32, budgets: list[int], ood_z: Float32) -> Int64:
    """Scan the whole pool's similarities for every cluster; what is picked is masked out."""
    similarity = torch.from_numpy(ood_z) @ torch.from_numpy(centers).T
    picks = []
    for cluster, budget in enumerate(budgets):
        picked = similarity[:, cluster].topk(budget).indices
        similarity[picked] = -torch.inf
        picks.append(picked)
    return torch.cat(picks).numpy()


def compared(name: str, plain: Callable[[], object], ours: Callable[[], object], repeats: int) -> list[str]:
    """One row of the table."""
    slow, fast = median_ms(plain, repeats), median_ms(ours, repeats)
    return [name, f"{slow:.0f}", f"{fast:.0f}", f"{slow / fast:.1f}x", f"{peak_mib(plain):.0f} / {peak_mib(ours):.0f}"]


def mak_rows(num_id: int, num_pool: int, budget: int) -> list[list[str]]:
    """MAK's parts, each once: the losses from embeddings that are there, and the choice by them."""
    views = torch.from_numpy(unit_rows(PASSES * BATCH, seed=3)).view(PASSES, BATCH, DIM)
    loss_ms = median_ms(partial(pairwise_loss, views, TEMPERATURE), 3) * num_pool / BATCH
    loss = np.random.default_rng(0).random(num_pool, dtype=np.float32)
    measures = PoolMeasures(unit_rows(num_id, 4, FEATURES), unit_rows(num_pool, 5, FEATURES), loss)
    embeddings = (measures.id_features, measures.ood_features)  # MAK reads their sizes alone
    inputs = RoundInputs(1, 0, budget, *embeddings, np.empty((0, FEATURES), np.float32), (), measures)
    choice = partial(MakSampler(num_clusters=CLUSTERS).select, inputs)
    name = f"{num_pool:,} OOD, K = {budget:,}, {num_id:,} ID, {FEATURES} features"
    return [
        [f"MAK's losses, {num_pool:,} OOD, {PASSES} passes, batch {BATCH}", "", f"{loss_ms:.0f}", "", ""],
        [f"MAK's choice, {name}", "", f"{median_ms(choice, 1):.0f}", "", f"{peak_mib(choice):.0f}"],
    ]


def main() -> None:
    """Print one table: milliseconds, the ratio, and the peak memory of either way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__.split("\n")[0])
    parser.add_argument("--id-sizes", type=int, nargs="+", default=[12_400, 100_000])
    parser.add_argument("--pool-sizes", type=int, nargs="+", default=[50_000, 300_000, 1_000_000])
    parser.add_argument("--budget", type=int, default=10_000)
    parser.add_argument("--mak-pool-size", type=int, default=50_000)
    parser.add_argument("--mak-budget", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for size in options.id_sizes:
        id_z = unit_rows(size, seed=0)
        kmeans = partial(KMeans(CLUSTERS, n_init=10, random_state=0).fit, id_z)
        faiss_kmeans = partial(cluster_embeddings, id_z, CLUSTERS, restarts=10)
        name = f"k-means, {size:,} x {DIM}, C = {CLUSTERS}, 10 restarts"
        rows.append(compared(name, kmeans, faiss_kmeans, options.repeats))
    id_z = unit_rows(options.id_sizes[0], seed=0)
    centers = cluster_embeddings(id_z, CLUSTERS).centers
    tailness = -np.random.default_rng(0).random(len(id_z), dtype=np.float32)
    budgets = [options.budget // CLUSTERS] * CLUSTERS
    for size in options.pool_sizes:
        ood_z = unit_rows(size, seed=1)
        plain = partial(plain_selection, centers, budgets, ood_z)
        ours = partial(nearest_unpicked, centers, budgets, ood_z)
        assert set(plain().tolist()) == set(ours().tolist())
        rows.append(compared(f"selection, {size:,} OOD, K = {sum(budgets):,}", plain, ours, options.repeats))
        scoring = median_ms(partial(score_ood, ood_z, id_z, tailness, centers, NEIGHBORS), 1)
        rows.append([f"tailness of {size:,} OOD, k = {NEIGHBORS}, {len(id_z):,} ID", "", f"{scoring:.0f}", "", ""])
    rows += mak_rows(options.id_sizes[0], options.mak_pool_size, options.mak_budget)
    head = ["what", "plain, ms", "ours, ms", "ratio", "peak MiB, plain / ours"]
    print_table("A sampling round without the forward passes", head, rows)


if __name__ == "__main__":
    main()
