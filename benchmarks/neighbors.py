"""The cost of a whole pool's tailness, by exact and by approximate search.

    python -m benchmarks.neighbors

For every OOD image, the 20 nearest of 12,400 ID images are found. The embeddings are loose groups
in all 128 dimensions. A trained model's embeddings vary in fewer dimensions, where an index works
better. An exact search takes a product of all pairs. Its time at the machine's own rate is given
for comparison.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from benchmarks.report import Report, gemm_gflops
from benchmarks.sampling import CLUSTERS, DIM, NUM_ID, unit_rows
from benchmarks.timing import median_ms
from colt_core.samplers.clustering import cluster_embeddings
from colt_core.samplers.ood_tailness import score_ood
from colt_core.samplers.search import search_in

import torch  # isort: skip

NEIGHBORS = 20


def main() -> None:
    """Print a table of seconds, and the quality of the approximate search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 pool images instead of 300,000")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    size = 50_000 if arguments.quick else 300_000
    report = Report("neighbors")
    id_z, ood_z = unit_rows(NUM_ID, seed=0), unit_rows(size, seed=1)
    centers = cluster_embeddings(id_z, CLUSTERS).centers
    tailness = -np.random.default_rng(0).random(NUM_ID, dtype=np.float32)
    rows, scores, found = [], {}, {}
    for kind in ("exact", "approximate"):
        score = partial(score_ood, ood_z, id_z, tailness, centers, NEIGHBORS, kind)
        seconds = median_ms(score, arguments.repeats) / 1000
        scores[kind], found[kind] = score().tailness, search_in(id_z, kind)(ood_z[:5000], NEIGHBORS)[1]
        report.figure(f"pool_tailness_{size}_{kind}_seconds", seconds)
        rows.append([kind, f"{seconds:.2f}", f"{size / seconds:,.0f}"])
    product = 2 * size * NUM_ID * DIM / 1e9 / gemm_gflops(torch.float32)
    rows.append(["a product of all pairs, fp32", f"{product:.2f}", f"{size / product:,.0f}"])
    exact_seconds = report.figures[f"pool_tailness_{size}_exact_seconds"]
    report.ratio("pool_tailness_exact_over_fp32_product_time", exact_seconds / product)
    report.ratio(
        "pool_tailness_exact_over_approximate_time",
        exact_seconds / report.figures[f"pool_tailness_{size}_approximate_seconds"],
    )
    pairs = zip(found["exact"], found["approximate"], strict=True)
    recall = float(np.mean([len(np.intersect1d(a, b)) / NEIGHBORS for a, b in pairs]))
    report.ratio("approximate_search_recall_at_20", recall)
    agreement = float(np.corrcoef(scores["exact"], scores["approximate"])[0, 1])
    report.ratio("approximate_tailness_correlation", agreement)
    report.table(
        f"Tailness of {size:,} OOD images, k = {NEIGHBORS} of {NUM_ID:,} ID images, median of {arguments.repeats}",
        ["search", "seconds", "OOD images/s"],
        rows,
    )
    print(f"\nApproximate: recall {recall:.3f}, correlation of the scores {agreement:.3f} with independent tailness")
    report.close()


if __name__ == "__main__":
    main()
