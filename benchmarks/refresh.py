"""How much time `pool_refresh: candidates` saves, and how many picks it keeps.

    python -m benchmarks.refresh cifar10.zip ood_pool_50k.zip

A run on CIFAR-10-LT (imbalance ratio 100) has full rounds. Each is compared with the round that a
run with candidates would find from the same weights. The latter's memory of the pool comes from its
own earlier rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.data import DatasetSpec, LongTail, PoolSpec, build_dataset, build_pool, open_labelled, open_unlabelled
from colt_core.distributed import Ranks
from colt_core.events import CheckpointReady, RoundDone
from colt_core.samplers.colt import ColtSampler
from colt_core.training.device import Compute
from colt_core.training.pretrain import pretrain
from colt_core.training.rounds import FoundRound, find_round
from colt_core.training.state import TrainingState


class Shadow:
    """The rounds of a run with candidates, computed from another run's weights."""

    def __init__(self, config: PretrainConfig, images: np.ndarray, pool: np.ndarray) -> None:
        self._config = config.model_copy(update={"pool_refresh": "candidates"})
        self._images, self._pool = images, pool
        self._known: np.ndarray | None = None

    def round(self, checkpoint: CheckpointReady) -> FoundRound:
        """The round before the epoch after the checkpoint."""
        data = {"num_train": len(self._images), "num_pool": len(self._pool), "image_size": self._images.shape[-1]}
        state = TrainingState.start(self._config, data, Compute.of(self._config))
        state.restore({**checkpoint.state, "config": self._config.model_dump()})
        state.known_pool = self._known
        augment = BatchAugmenter.of(self._config)
        found = find_round(state, self._images, self._pool, ColtSampler(), augment, Ranks())
        self._known = state.known_pool
        return found


def main() -> None:
    """Print a row for each round, and the means without the first round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="archive of train/CLASS/IMAGE and test/CLASS/IMAGE")
    parser.add_argument("pool", type=Path, help="archive of images")
    parser.add_argument("--epochs", type=int, default=100, help="epochs of the preset cpu-small (default: 100)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        long_tail = LongTail(profile="exp", max_per_class=4500, imbalance_ratio=100)
        spec = DatasetSpec(long_tail=long_tail)
        images, _ = build_dataset(open_labelled(arguments.dataset), spec, into=Path(folder, "data")).part("train")
        pool = build_pool(open_unlabelled(arguments.pool), PoolSpec(), into=Path(folder, "pool")).images
        settings = {"preset": "cpu-small", "epochs": arguments.epochs, "checkpoint_interval": 1}
        config = PretrainConfig.resolve(settings)
        shadow, rows, last, before = Shadow(config, images, pool), [], None, np.empty(0, dtype=np.int64)
        for event in pretrain(config, images, pool):
            match event:
                case CheckpointReady():
                    last = event
                case RoundDone():
                    assert last is not None
                    began = time.perf_counter()
                    found = shadow.round(last)
                    seconds = time.perf_counter() - began
                    budget = len(event.selected)
                    kept, same = (
                        len(np.intersect1d(event.selected, picks)) / budget for picks in (found["selected"], before)
                    )
                    rows.append((event.epoch, found["ood_embedded"] / len(pool), kept, same, event.seconds, seconds))
                    before = event.selected
    report = Report("refresh")
    report.table(
        f"Rounds of {arguments.epochs} epochs, {len(images):,} ID and {len(pool):,} OOD images, "
        f"K = {config.rounds.sample_budget:,}",
        ["before epoch", "embedded share", "picks kept", "picks of the last round", "full, s", "candidates, s"],
        [
            [str(epoch), f"{share:.3f}", f"{kept:.3f}", f"{same:.3f}", f"{full:.2f}", f"{part:.2f}"]
            for epoch, share, kept, same, full, part in rows
        ],
    )
    _, share, kept, same, full, part = np.mean(rows[1:], axis=0)
    report.ratio("refresh_embedded_share", share)
    report.ratio("refresh_picks_kept", kept)
    report.ratio("refresh_picks_of_the_last_round", same)
    report.ratio("refresh_full_over_candidates_time", full / part)
    report.close()


if __name__ == "__main__":
    main()
