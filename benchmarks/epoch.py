"""Whole epochs of ours and of a plain SimCLR loop, in one run:  python -m benchmarks.epoch

The images are noise: an epoch's cost does not depend on what they show. Our epochs include tailness and all events; one
sampling round over images and pool is timed by itself.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from torch import nn

from benchmarks.plain_simclr import train_epoch
from benchmarks.timing import median_ms, print_table
from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.events import EpochDone, RoundDone
from colt_core.frameworks import build_framework
from colt_core.losses import nt_xent
from colt_core.seeding import generator
from colt_core.tailness import negative_tailness
from colt_core.training.device import Compute
from colt_core.training.pretrain import pretrain


def our_epochs(config: PretrainConfig, images: np.ndarray, pool: np.ndarray) -> tuple[float, float]:
    """Median seconds of an epoch over the images and `sample_budget` OOD images after the first such; of its round."""
    epochs, rounds = [], []
    for event in pretrain(config, images, pool):
        match event:
            case EpochDone():
                epochs.append(event.seconds)
            case RoundDone():
                rounds.append(event.seconds)
    # The first epoch is without OOD images, the second has the round in it, and both warm up.
    return statistics.median(epochs[2:]), rounds[0]


def plain_epochs(config: PretrainConfig, images: np.ndarray, repeats: int, loader_workers: int) -> float:
    """Median seconds of the plain loop over as many images, with the same encoder in float32."""
    framework = build_framework(config, len(images))
    encoder = nn.Sequential(framework.backbone, framework.projector)
    train_epoch(encoder, images[: 2 * config.batch_size], config.batch_size, loader_workers)
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        train_epoch(encoder, images, config.batch_size, loader_workers)
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def phases(config: PretrainConfig, images: np.ndarray, repeats: int) -> list[list[str]]:
    """Milliseconds of each part of one of our steps."""
    compute, framework, augment = Compute.of(config), build_framework(config, len(images)), BatchAugmenter.of(config)
    compute.module(framework)
    batch = compute.images(torch.from_numpy(images[: config.batch_size])).repeat(2, 1, 1, 1)
    views = augment(batch, generator(0, "augment", 1))

    def forward() -> torch.Tensor:
        with compute.autocast():
            z_2BD: torch.Tensor = framework(views)
        return z_2BD

    def forward_and_backward() -> None:
        nt_xent(forward(), config.temperature)[0].backward()  # type: ignore[no-untyped-call]

    z_2BD = forward().detach().requires_grad_()
    times = {
        "augmentation": median_ms(lambda: augment(batch, generator(0, "augment", 1)), repeats),
        "forward": median_ms(forward, repeats),
        "forward + loss + backward": median_ms(forward_and_backward, repeats),
        "loss + its gradient": median_ms(
            lambda: nt_xent(z_2BD, config.temperature)[0].backward(),  # type: ignore[no-untyped-call]
            repeats,
        ),
        "tailness": median_ms(lambda: negative_tailness(z_2BD, config.temperature, config.top_k), repeats),
    }
    return [[name, f"{milliseconds:,.1f}"] for name, milliseconds in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="cpu-small", choices=["cpu-small", "cifar10-lt", "digits"])
    parser.add_argument("--width", type=int, help="channels of the first stage (default: the preset's)")
    parser.add_argument("--images", type=int, default=12_400, help="ID images (default: 12400)")
    parser.add_argument("--ood", type=int, default=5_000, help="OOD images beside them (default: 5000)")
    parser.add_argument("--pool", type=int, default=50_000, help="pool of the sampling round (default: 50000)")
    parser.add_argument("--size", type=int, default=32, help="side in pixels (default: 32)")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3, help="measured epochs of each (default: 3)")
    parser.add_argument("--loader-workers", type=int, default=2, help="processes that augment for the plain loop")
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    images, pool = (
        rng.integers(0, 256, (count, 3, arguments.size, arguments.size), dtype=np.uint8)
        for count in (arguments.images, arguments.pool)
    )
    config = PretrainConfig.resolve(
        {
            "preset": arguments.preset,
            **({} if arguments.width is None else {"width": arguments.width}),
            "epochs": 2 + arguments.repeats,
            "warmup_epochs": 1,
            "sample_interval": 2 + arguments.repeats,
            "sample_budget": arguments.ood,
            "batch_size": arguments.batch_size,
            "checkpoint_interval": 2 + arguments.repeats,
            "learning_rate": 0.1,
        }
    )
    ours, one_round = our_epochs(config, images, pool)
    mixed = np.concatenate([images, pool[: arguments.ood]])
    plain = plain_epochs(config, mixed, arguments.repeats, arguments.loader_workers)

    net = f"{config.backbone} of width {config.width}, {arguments.size} px, batch {arguments.batch_size}"
    print_table(
        f"One epoch over {len(images):,} ID + {arguments.ood:,} OOD images, {net}, median of {arguments.repeats}",
        ["", "seconds", "images/s", "times plain"],
        [
            [name, f"{seconds:.1f}", f"{len(mixed) / seconds:,.0f}", f"{plain / seconds:.1f}"]
            for name, seconds in (("plain SimCLR, fp32, PIL loader", plain), ("ours, COLT", ours))
        ],
    )
    print_table(
        f"One sampling round over {len(images):,} ID and {len(pool):,} pool images", ["seconds"], [[f"{one_round:.1f}"]]
    )
    print_table(f"Parts of our step, {net}", ["", "ms"], phases(config, images, 5))


if __name__ == "__main__":
    main()
