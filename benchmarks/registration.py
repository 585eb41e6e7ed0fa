"""How long the two example archives take to register: CIFAR-10-LT (11,165 training images) and a pool of 50,000.

python -m benchmarks.registration cifar10.zip ood_pool_50k.zip
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from colt_core.data import DatasetSpec, LongTail, PoolSpec, build_dataset, build_pool, open_labelled, open_unlabelled


def main() -> None:
    """Print one line an archive: images, seconds for listing and checking, seconds for decoding and writing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="archive of train/CLASS/IMAGE and test/CLASS/IMAGE")
    parser.add_argument("pool", type=Path, help="archive of images")
    parser.add_argument("--max-per-class", type=int, default=4500)
    parser.add_argument("--imbalance-ratio", type=float, default=100)
    arguments = parser.parse_args()
    long_tail = LongTail(
        profile="exp", max_per_class=arguments.max_per_class, imbalance_ratio=arguments.imbalance_ratio
    )
    print(f"{'archive':<24}{'images':>8}{'list s':>9}{'build s':>9}{'images/s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        labelled = open_labelled(arguments.dataset)
        listed = time.perf_counter()
        dataset = build_dataset(labelled, DatasetSpec(long_tail=long_tail), into=Path(folder, "dataset"))
        _row(arguments.dataset.name, len(dataset.images), start, listed)
        print(f"  training images by class: {dataset.class_counts}, parts: {dataset.split_sizes}")

        start = time.perf_counter()
        unlabelled = open_unlabelled(arguments.pool)
        listed = time.perf_counter()
        pool = build_pool(unlabelled, PoolSpec(), into=Path(folder, "pool"))
        _row(arguments.pool.name, len(pool.images), start, listed)


def _row(name: str, images: int, start: float, listed: float) -> None:
    built = time.perf_counter()
    rate = images / (built - start)
    print(f"{name:<24}{images:>8,}{listed - start:>9.2f}{built - listed:>9.2f}{rate:>10,.0f}")


if __name__ == "__main__":
    main()
