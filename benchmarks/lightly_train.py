"""Epochs of LightlyTrain's SimCLR by its own function, and of ours, in one run.

    pip install -e '.[service,test,benchmarks]'
    python -m benchmarks.lightly_train

Both train the same network on the same images of noise, by batches of one size, on all cores.
Theirs reads PNG files. Its transform (at the images' size), loader, head, optimiser and precision
are its own. Where this CPU multiplies in bfloat16, a second run of theirs uses that. Ours is SimCLR
by `colt_core.pretrain` with exact augmentation, in bfloat16 there and in float32.

Each runs in a process of its own, one after the other. An epoch's time is that between the
beginnings of two epochs, with all waiting for images. Memory is that of the process and its
loaders. Pages that they share count once.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from benchmarks.processes import apart
from benchmarks.report import Report
from colt_core.config import PretrainConfig
from colt_core.events import EpochDone, RunStarted, StepDone
from colt_core.models import Backbone
from colt_core.training.device import Compute
from colt_core.training.pretrain import pretrain

STEMS = ("imagenet", "cifar")
SIDES = (32, 64)
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sizes:
    """The data and the length of a run."""

    images: int
    batch_size: int
    side: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took."""

    epoch_seconds: float  # median without the first epoch
    first_step_seconds: float  # from the call to the first step of training
    peak_bytes: int


@dataclass(slots=True)
class Peak:
    """The most memory seen."""

    bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watch the proportional memory of this process and its children, four times a second."""
    peak, over = Peak(), Event()

    def watch() -> None:
        this = psutil.Process()
        while not over.wait(0.25):
            held = 0
            for process in (this, *this.children(recursive=True)):
                try:
                    held += process.memory_full_info().pss
                except psutil.Error:  # it has ended
                    continue
            peak.bytes = max(peak.bytes, held)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def noise(sizes: Sizes) -> NDArray[np.uint8]:
    """(N, 3, S, S) images."""
    return np.random.default_rng(0).integers(0, 256, (sizes.images, 3, sizes.side, sizes.side), dtype=np.uint8)


class Watched(nn.Module):
    """Our backbone as LightlyTrain wants models, with the time of each forward pass in training."""

    def __init__(self, stem: str) -> None:
        super().__init__()
        self.net = Backbone("resnet18", 64, stem)
        self.times: list[float] = []

    def get_model(self) -> nn.Module:
        """The network that is exported."""
        return self.net

    def feature_dim(self) -> int:
        """Channels of the features."""
        return self.net.num_features

    def forward_features(self, images: Tensor) -> dict[str, Any]:
        """Pooled features, as maps of one pixel."""
        if self.training:
            self.times.append(time.perf_counter())
        return {"features": self.net(images)[:, :, None, None]}

    def forward_pool(self, found: dict[str, Any]) -> dict[str, Any]:
        """The same: they are pooled already."""
        return {"pooled_features": found["features"]}


def run_theirs(stem: str, sizes: Sizes, precision: str | None) -> Run:
    """Train by LightlyTrain. Precision None is its default."""
    import lightly_train

    model = Watched(stem)
    with tempfile.TemporaryDirectory() as folder, peak_memory() as peak:
        data = Path(folder, "data")
        data.mkdir()
        for number, pixels in enumerate(noise(sizes)):
            Image.fromarray(pixels.transpose(1, 2, 0)).save(data / f"{number:06}.png")
        began = time.perf_counter()
        lightly_train.pretrain(
            out=Path(folder, "out"),
            data=data,
            model=model,
            method="simclr",
            epochs=sizes.epochs,
            batch_size=sizes.batch_size,
            accelerator="cpu",
            transform_args={"image_size": (sizes.side, sizes.side)},
            **({} if precision is None else {"precision": precision}),
        )
    passes = len(model.times) // sizes.epochs
    assert passes * sizes.epochs == len(model.times), "each epoch has as many forward passes"
    starts = model.times[::passes]
    epochs = [after - before for before, after in pairwise(starts[1:])]
    return Run(statistics.median(epochs), model.times[0] - began, peak.bytes)


def run_ours(stem: str, sizes: Sizes, precision: str) -> Run:
    """Train by `colt_core.pretrain`."""
    config = PretrainConfig.resolve(
        {
            "preset": "cifar10-lt",
            "framework": "simclr",
            "sampler": "none",
            "stem": stem,
            "batch_size": sizes.batch_size,
            "epochs": sizes.epochs,
            "checkpoint_interval": sizes.epochs,
            "precision": precision,
        }
    )
    images = noise(sizes)
    epochs: list[float] = []
    first_step = 0.0
    with peak_memory() as peak:
        began = time.perf_counter()
        for event in pretrain(config, images):
            match event:
                case RunStarted():
                    first_step = time.perf_counter() - began
                case StepDone(step=1):
                    first_step = time.perf_counter() - began
                case EpochDone():
                    epochs.append(event.seconds)
    return Run(statistics.median(epochs[1:]), first_step, peak.bytes)


def main() -> None:
    """Print a table of all nets and sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stems", nargs="+", choices=STEMS, default=list(STEMS))
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES), help="pixels")
    parser.add_argument("--images", type=int, default=4_096, help="of an epoch (default: 4,096)")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=4, help="of each run; the first is not measured")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller batches")
    arguments = parser.parse_args()
    report = Report("lightly_train")
    bf16 = Compute.choose("cpu").bf16
    rows = []
    for stem in arguments.stems:
        for side in arguments.sides:
            sizes = Sizes(arguments.images, arguments.batch_size, side, arguments.epochs)
            if arguments.quick:
                sizes = Sizes(256, 64, side, 3)
            runs = {"LightlyTrain, its default": partial(apart, run_theirs, stem, sizes, None, environment={})}
            if bf16:
                runs["LightlyTrain, bf16-mixed"] = partial(apart, run_theirs, stem, sizes, "bf16-mixed", environment={})
                runs["ours, bf16"] = partial(apart, run_ours, stem, sizes, "bf16")
            runs["ours, fp32"] = partial(apart, run_ours, stem, sizes, "fp32")
            found: dict[str, Run] = {name: run() for name, run in runs.items()}
            slowest = found["LightlyTrain, its default"].epoch_seconds
            for name, run in found.items():
                rows.append(
                    [
                        f"{stem} stem, {side} px",
                        name,
                        f"{run.epoch_seconds:.2f}",
                        f"{slowest / run.epoch_seconds:.2f}",
                        f"{run.first_step_seconds:.1f}",
                        f"{run.peak_bytes / MIB:,.0f}",
                    ]
                )
            key = f"lightly_train_{stem}_{side}"
            report.ratio(f"{key}_default_over_ours_fp32_time", slowest / found["ours, fp32"].epoch_seconds)
            if bf16:
                report.ratio(f"{key}_default_over_ours_bf16_time", slowest / found["ours, bf16"].epoch_seconds)
                report.ratio(
                    f"{key}_bf16_over_ours_bf16_time",
                    found["LightlyTrain, bf16-mixed"].epoch_seconds / found["ours, bf16"].epoch_seconds,
                )
    report.table(
        f"ResNet-18, SimCLR, {arguments.images:,} images an epoch",
        ["net", "run", "seconds an epoch", "times as quick", "seconds to the first step", "peak MiB"],
        rows,
    )
    report.close()


if __name__ == "__main__":
    main()
