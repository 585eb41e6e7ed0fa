"""Where an epoch's time goes, and how close it comes to the bare step.

    python -m benchmarks.epoch

Epochs over ID and OOD images run by `colt_core.pretrain`, with tailness and all events. The process
has the allocator settings of a worker's trainers. Phases are those of `EpochDone.profile`; "data"
is everything from reading images to augmented views. A sampling round is timed separately. The bare
step (`benchmarks.step`) and the machine's rate of matrix products are measured in turn with the
epochs. The images are noise, since the time does not depend on the content.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.bare_step import BareStep
from benchmarks.processes import apart
from benchmarks.report import Report, gemm_gflops
from benchmarks.timing import median_ms
from colt_core.config import PretrainConfig
from colt_core.events import EpochDone, RoundDone
from colt_core.training.device import Compute
from colt_core.training.pretrain import pretrain


@dataclass(frozen=True, slots=True)
class Epochs:
    """Times of an epoch without its sampling round, and of the round."""

    images: int  # ID and OOD
    seconds: float  # median
    profile: dict[str, float]  # median seconds by phase
    round_seconds: float
    embedded: int  # images that the encoder embedded for the round

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def share(self, phase: str) -> float:
        """Share of the epoch's time in a phase."""
        return self.profile[phase] / self.seconds


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the data of an epoch. `ood` images are picked from `pool`."""

    images: int
    ood: int
    pool: int
    batch_size: int
    side: int = 32


def run_epochs(
    settings: dict[str, Any], sizes: Sizes, repeats: int, between: Callable[[], None] = lambda: None
) -> Epochs:
    """Train a warm-up epoch without OOD images, then `repeats` epochs with them.

    `between` is called after each.
    """
    rng = np.random.default_rng(0)
    images, pool = (
        rng.integers(0, 256, (count, 3, sizes.side, sizes.side), dtype=np.uint8) for count in (sizes.images, sizes.pool)
    )
    config = resolved(
        settings,
        sizes,
        epochs=1 + repeats,
        warmup_epochs=1,
        sample_interval=1 + repeats,
        checkpoint_interval=1 + repeats,
    )
    epochs: list[EpochDone] = []
    rounds: list[RoundDone] = []
    for event in pretrain(config, images, pool):
        match event:
            case EpochDone():
                epochs.append(event)
                between()
            case RoundDone():
                rounds.append(event)
    measured = epochs[1:]
    phases = measured[0].profile
    return Epochs(
        measured[0].images,
        statistics.median(epoch.seconds - epoch.profile["round"] for epoch in measured),
        {phase: statistics.median(epoch.profile[phase] for epoch in measured) for phase in phases if phase != "round"},
        rounds[0].seconds,
        len(images) + rounds[0].ood_embedded,
    )


def resolved(settings: dict[str, Any], sizes: Sizes, **more: Any) -> PretrainConfig:
    """The configuration of a run with these sizes."""
    fixed = {"batch_size": sizes.batch_size, "sample_budget": sizes.ood, "learning_rate": 0.05}
    return PretrainConfig.resolve({**fixed, **more, **settings})


@dataclass(frozen=True, slots=True)
class Compared:
    """Epochs compared with the bare step and the machine's rate of matrix products."""

    epochs: Epochs
    bare_rate: float  # images per second
    gflop_an_image: float
    gemm_gflops: float

    @property
    def of_gemm(self) -> float:
        """The epoch's operations per second, as a share of the machine's rate."""
        return self.gflop_an_image * self.epochs.rate / self.gemm_gflops


def measure(settings: dict[str, Any], sizes: Sizes, repeats: int, steps: int) -> Compared:
    """Measure epochs in turn with `steps` bare steps and a matrix product."""
    config = resolved(settings, sizes)
    dtype = torch.bfloat16 if Compute.of(config).bf16 else torch.float32
    step = BareStep(config, sizes.side)
    gflop = step.gflop()
    bare_rates: list[float] = []
    gemm: list[float] = []

    def between() -> None:
        bare_rates.append(1000 * sizes.batch_size / median_ms(step, steps))
        gemm.append(gemm_gflops(dtype, repeats=1))

    epochs = run_epochs(settings, sizes, repeats, between)
    return Compared(epochs, statistics.median(bare_rates), gflop / sizes.batch_size, statistics.median(gemm))


NETS = {"cpu_small": "cpu-small", "resnet18": "cifar10-lt"}


def main() -> None:
    """Print two tables: the phases of epochs, and the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS), help="presets' nets")
    parser.add_argument("--augmentations", nargs="+", choices=["exact", "fused"], default=["exact", "fused"])
    parser.add_argument("--repeats", type=int, default=5, help="measured epochs of cpu-small (default: 5)")
    parser.add_argument("--quick", action="store_true", help="fewer images; ResNet-18 with 32 images a batch")
    arguments = parser.parse_args()
    report = Report("epoch")
    rows, rounds = [], []
    for net in arguments.nets:
        if net == "cpu_small":
            sizes = Sizes(4_096, 2_048, 5_000, 512) if arguments.quick else Sizes(12_400, 5_000, 50_000, 512)
            repeats, steps = (2, 3) if arguments.quick else (arguments.repeats, 10)
        else:
            sizes = Sizes(96, 64, 256, 32) if arguments.quick else Sizes(512, 256, 1_024, 256)
            repeats, steps = 1, 1
        for augmentation in arguments.augmentations:
            if arguments.quick and (net, augmentation) == ("resnet18", "fused"):
                continue
            found = apart(measure, {"preset": NETS[net], "augmentation": augmentation}, sizes, repeats, steps)
            epochs = found.epochs
            label, key = f"{net}, {augmentation}", f"epoch_{net}_{augmentation}"
            rest = epochs.seconds - sum(epochs.profile.values())
            rows.append(
                [
                    label,
                    f"{epochs.images:,}",
                    f"{epochs.seconds:.2f}",
                    f"{epochs.rate:,.0f}",
                    *(f"{100 * epochs.share(phase):.2f} %" for phase in epochs.profile),
                    f"{100 * rest / epochs.seconds:.2f} %",
                    f"{epochs.rate / found.bare_rate:.2f}",
                    f"{100 * found.of_gemm:.0f} %",
                ]
            )
            rounds.append([label, f"{epochs.embedded:,}", f"{epochs.round_seconds:.2f}"])
            report.figure(f"{key}_seconds", epochs.seconds)
            report.figure(f"{key}_images_per_second", epochs.rate)
            report.ratio(f"{key}_images_over_bare_step_images", epochs.rate / found.bare_rate)
            report.ratio(f"{key}_data_over_epoch_time", epochs.share("data"))
            report.ratio(f"{key}_tailness_over_epoch_time", epochs.share("tailness"))
            report.ratio(f"{key}_rate_over_gemm_rate", found.of_gemm)
    phases = ["data", "forward_backward", "tailness"]
    report.table(
        "One epoch at 32 px, and where its time goes",
        [
            "net, augmentation",
            "images",
            "seconds",
            "images/s",
            *phases,
            "rest",
            "of the bare step's images/s",
            "of GEMM",
        ],
        rows,
    )
    report.table("Its sampling round", ["net, augmentation", "images embedded", "seconds"], rounds)
    report.close()


if __name__ == "__main__":
    main()
