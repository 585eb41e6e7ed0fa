"""Epochs of COLT and of LightlySSL's SimCLR, in one run.

    python -m benchmarks.lightly_simclr

Theirs is SimCLR as in LightlySSL's example, on the same backbone. It has LightlySSL's transform
(with our strengths), projection head and loss, and a DataLoader with worker processes. It uses
float32, contiguous tensors and the default allocator. Ours is COLT by `colt_core.pretrain` on as
many images, with tailness, the domain term and exact augmentation. Its process has the allocator
settings of a worker's trainers. Only a few steps are run, and an epoch's time is computed from
them. For theirs it includes the wait for an epoch's first batch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms.simclr_transform import SimCLRTransform
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.epoch import NETS, Epochs, Sizes, resolved, run_epochs
from benchmarks.processes import apart
from benchmarks.report import Report
from colt_core.config import PretrainConfig
from colt_core.models import Backbone

EPOCH_IMAGES = {"cpu_small": 17_400, "resnet18": 22_400}  # 12,400 ID images plus the preset's K


class SimCLR(nn.Module):
    """SimCLR as in LightlySSL's example, with our backbone."""

    def __init__(self, config: PretrainConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config.backbone, config.width, config.stem)
        features = self.backbone.num_features
        self.projection_head = SimCLRProjectionHead(features, features, config.projection_dim)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, D), not normalised."""
        z: Tensor = self.projection_head(self.backbone(images))
        return z


class Transformed(Dataset[tuple[list[Tensor], int]]):
    """Views of each image, and a label that nothing reads."""

    def __init__(self, images: NDArray[np.uint8], transform: SimCLRTransform) -> None:
        self.images, self.transform = images.transpose(0, 2, 3, 1), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[list[Tensor], int]:
        views: Any = self.transform(Image.fromarray(self.images[index]))
        return views, 0


@dataclass(frozen=True, slots=True)
class Theirs:
    """The parts of an epoch of LightlySSL."""

    first_seconds: float  # from the start of an epoch to the end of its first step
    step_seconds: float  # mean of the other steps

    def epoch_seconds(self, images: int, batch_size: int) -> float:
        """Seconds of an epoch of so many images."""
        return self.first_seconds + (images / batch_size - 1) * self.step_seconds


def run_theirs(settings: dict[str, Any], sizes: Sizes, loader_workers: int) -> Theirs:
    """Run an epoch of `sizes.images + sizes.ood` images, after a warm-up step."""
    config = resolved(settings, sizes)
    images = np.random.default_rng(0).integers(
        0, 256, (sizes.images + sizes.ood, 3, sizes.side, sizes.side), dtype=np.uint8
    )
    strength = config.color_jitter / 0.8  # relative to LightlySSL's default
    transform = SimCLRTransform(
        input_size=sizes.side, cj_strength=strength, min_scale=config.min_crop_scale, gaussian_blur=0.0
    )
    dataset = LightlyDataset.from_torch_dataset(Transformed(images, transform))
    loader = DataLoader(dataset, config.batch_size, shuffle=True, drop_last=True, num_workers=loader_workers)
    model, criterion = SimCLR(config), NTXentLoss(config.temperature)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )

    def step(view_1: Tensor, view_2: Tensor) -> None:
        loss = criterion(model(view_1), model(view_2))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    noise = torch.randn(config.batch_size, 3, sizes.side, sizes.side)
    step(noise, noise.flip(3))
    times = [time.perf_counter()]
    for (view_1, view_2), _, _ in loader:
        step(view_1, view_2)
        times.append(time.perf_counter())
    return Theirs(times[1] - times[0], (times[-1] - times[1]) / (len(times) - 2))


def main() -> None:
    """Print a table for each net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS), help="presets' nets")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--loader-workers", type=int, default=2, help="processes that augment for LightlySSL")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each in turn with cpu-small (default: 3)")
    parser.add_argument("--quick", action="store_true", help="fewer steps; ResNet-18 with 32 images a batch")
    arguments = parser.parse_args()
    report = Report("lightly_simclr")
    for net in arguments.nets:
        settings = {"preset": NETS[net]}
        if net == "cpu_small":
            sizes = Sizes(3_072, 1_024, 2_048, 512) if arguments.quick else Sizes(7_168, 3_072, 4_096, 512)
            repeats = 1 if arguments.quick else arguments.repeats
        else:
            sizes, repeats = (Sizes(64, 64, 128, 32) if arguments.quick else Sizes(512, 512, 512, 512)), 1
        if not arguments.quick:
            sizes = replace(sizes, batch_size=arguments.batch_size)
        theirs: list[float] = []
        ours: dict[str, list[Epochs]] = {}
        images = EPOCH_IMAGES[net]
        for _ in range(repeats):
            found = apart(run_theirs, settings, sizes, arguments.loader_workers, environment={})
            theirs.append(found.epoch_seconds(images, sizes.batch_size))
            for precision in ("auto", "fp32"):
                if precision == "fp32" and (net == "resnet18" or arguments.quick):
                    continue
                ours.setdefault(precision, []).append(apart(run_epochs, {**settings, "precision": precision}, sizes, 1))
        slow = statistics.median(theirs)
        rows = [["LightlySSL's SimCLR, fp32", f"{images / slow:,.0f}", f"{slow:,.1f}", "1.0"]]
        for precision, epochs in ours.items():
            seconds = images / statistics.median(epoch.rate for epoch in epochs)
            rows.append(
                [f"ours, COLT, {precision}", f"{images / seconds:,.0f}", f"{seconds:,.1f}", f"{slow / seconds:.1f}"]
            )
            report.ratio(f"epoch_{net}_lightly_fp32_over_ours_{precision}_time", slow / seconds)
        report.figure(f"epoch_{net}_lightly_seconds", slow)
        report.table(
            f"One epoch over {images:,} images, {net}, batch {sizes.batch_size}, from "
            f"{(sizes.images + sizes.ood) // sizes.batch_size} steps",
            ["", "images/s", "seconds", "times LightlySSL"],
            rows,
        )
    report.close()


if __name__ == "__main__":
    main()
