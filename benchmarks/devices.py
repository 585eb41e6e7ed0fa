"""A job on two processes, and two jobs at once, compared with one job on all threads.

    python -m benchmarks.devices

Training is data-parallel by gloo, as with `num_processes` 2. Each process has half of the threads,
and trains on half of every batch. The overhead is found by comparison with two independent jobs of
half the batch, run at once. It is communication, and the work that every rank does for the whole
batch (drawing the views, the losses). The losses of one and of two processes are compared in
float32, step by step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.processes import KEEPING_BLOCKS, side_by_side
from benchmarks.report import Report
from benchmarks.timing import median_ms
from colt_core.config import PretrainConfig
from colt_core.distributed import Launch, Ranks, process_group, sum_gradients
from colt_core.events import StepDone
from colt_core.frameworks.build import build_framework
from colt_core.training.pretrain import pretrain

NETS = {"cpu_small": "cpu-small", "resnet18": "cifar10-lt"}
LOCALLY = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}


@dataclass(frozen=True, slots=True)
class Trained:
    """Measurements of one process."""

    step_ms: float  # median, from the end of one step to that of the next, with data
    losses: list[float]
    all_reduce_ms: float  # of the gradients only; 0 for a single process


def train(settings: dict[str, Any], steps: int, threads: int, launch: Launch) -> Trained:
    """Train two epochs of SimCLR as one rank of a job. The first epoch is a warm-up."""
    torch.set_num_threads(threads)
    config = PretrainConfig.resolve(
        {"sampler": "none", "epochs": 2, "learning_rate": 0.01, "num_processes": launch.size, **settings}
    )
    images = np.random.default_rng(0).integers(0, 256, (steps * config.batch_size, 3, 32, 32), dtype=np.uint8)
    ended, losses = [], []
    with process_group(config, launch) as ranks:
        for event in pretrain(config, images):
            if isinstance(event, StepDone):
                ended.append(time.perf_counter())
                losses.append(event.loss)
        all_reduce_ms = _all_reduce_ms(config, ranks)
    return Trained(1000 * statistics.median(np.diff(ended[steps:]).tolist()), losses, all_reduce_ms)


def _all_reduce_ms(config: PretrainConfig, ranks: Ranks) -> float:
    if ranks.size == 1:
        return 0.0
    framework = build_framework(config, config.batch_size)
    for parameter in framework.parameters():
        parameter.grad = torch.ones_like(parameter)
    return median_ms(lambda: sum_gradients(framework, ranks), 10)


def jobs(settings: dict[str, Any], steps: int, threads: int, count: int = 1) -> list[Trained]:
    """Run `count` jobs at once, of one process each."""
    return side_by_side(train, [(settings, steps, threads, Launch())] * count)


def two_ranks(settings: dict[str, Any], steps: int, threads: int) -> Trained:
    """Run one job of two processes."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Launch(rank, 2, rank, 2, f"file://{folder}/ranks") for rank in range(2)]
        calls = [(settings, steps, threads, place) for place in places]
        return side_by_side(train, calls, {**KEEPING_BLOCKS, **LOCALLY})[0]


def main() -> None:
    """Print one table for each net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS), help="presets' nets")
    parser.add_argument("--quick", action="store_true", help="only cpu-small, fewer steps, losses not compared")
    arguments = parser.parse_args()
    report = Report("devices")
    threads = torch.get_num_threads()
    half = max(1, threads // 2)
    for net in ["cpu_small"] if arguments.quick else arguments.nets:
        batch_size, steps = (64, 3) if net == "resnet18" else (512, 6 if arguments.quick else 20)
        settings = {"preset": NETS[net], "batch_size": batch_size}
        [alone] = jobs(settings, steps, threads)
        [on_half] = jobs(settings, steps, half)
        ranks = two_ranks(settings, steps, half)
        at_once = jobs(settings, steps, half, count=2)
        half_batches = jobs({**settings, "batch_size": batch_size // 2}, steps, half, count=2)

        together_ms = statistics.mean(job.step_ms for job in at_once)
        beside_ms = ranks.step_ms - statistics.mean(job.step_ms for job in half_batches)
        rows = [
            [name, f"{step_ms:.0f}", f"{1000 * images / step_ms:,.0f}"]
            for name, step_ms, images in (
                (f"one job, {threads} threads (two in sequence have the same rate)", alone.step_ms, batch_size),
                (f"one job, threads: {half}", on_half.step_ms, batch_size),
                (f"one job, two processes, threads of each: {half}", ranks.step_ms, batch_size),
                (f"two jobs at once, threads of each: {half}", together_ms, 2 * batch_size),
            )
        ]
        report.table(f"Steps of {net}, batch {batch_size}", ["", "step, ms", "images/s of all"], rows)
        print(
            f"\nThe two processes' step takes {beside_ms:.0f} ms more than independent half batches. The "
            f"gradients' sum takes {ranks.all_reduce_ms:.1f} ms of that."
        )
        key = f"devices_{net}"
        report.ratio(f"{key}_two_processes_over_one_on_all_threads_images", alone.step_ms / ranks.step_ms)
        report.ratio(f"{key}_two_processes_over_one_on_half_the_threads_images", on_half.step_ms / ranks.step_ms)
        report.ratio(f"{key}_two_processes_overhead_over_step_time", beside_ms / ranks.step_ms)
        report.ratio(f"{key}_gradient_sum_over_step_time", ranks.all_reduce_ms / ranks.step_ms)
        report.ratio(f"{key}_two_jobs_at_once_over_one_after_the_other_images", 2 * alone.step_ms / together_ms)
        if not arguments.quick:
            in_fp32 = {**settings, "precision": "fp32"}
            [one] = jobs(in_fp32, 2, threads)
            difference = float(np.abs(np.divide(two_ranks(in_fp32, 2, half).losses, one.losses) - 1).max())
            print(f"Their losses in fp32 are within {difference:.1e} of one process's.")
            report.ratio(f"{key}_two_processes_loss_relative_difference", difference)
    report.close()


if __name__ == "__main__":
    main()
