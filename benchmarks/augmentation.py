"""Two views of each image of a batch, compared with pipelines that work image by image.

    python -m benchmarks.augmentation

The pipelines are:
- "PIL": the transform of the released COLT code in a DataLoader, in the process itself and in two
  worker processes.
- "torchvision v2": the same on tensors.
- "LightlySSL": its SimCLRTransform with the same strengths.
- "rand_augment": ours with BCL-D's two operations at full strength.

From --blur-from pixels on, all blur half of the views (224: the transform of ImageNet-100 and
Places). Ours runs on all cores, in a process with the allocator settings of a worker's trainers,
and in one with the defaults.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import torch
from lightly.transforms.simclr_transform import SimCLRTransform
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as v1
from torchvision.transforms import v2

from benchmarks.processes import apart
from benchmarks.report import Report
from benchmarks.timing import median_ms
from colt_core.augment import BatchAugmenter
from colt_core.pixels import MEAN, STD
from colt_core.seeding import generator

_MAX_PIXELS = 6_000_000  # in a batch of ours: 512 images of 32 and 64 pixels, 119 of 224
_LOADER_BATCHES = 16
FORMS: dict[str, dict[str, Any]] = {"exact": {}, "fused": {"fused": True}, "rand_augment": {"rand_augment": 2}}


def pil_blur(image: Image.Image) -> Image.Image:
    """PIL's Gaussian blur of a random sigma."""
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2)))


def pil_transform(size: int, blur: float) -> v1.Compose:
    """The released transform of one PIL image."""
    return v1.Compose(
        [
            v1.RandomResizedCrop(size, scale=(0.1, 1), interpolation=v1.InterpolationMode.BICUBIC),
            v1.RandomHorizontalFlip(),
            v1.RandomApply([v1.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v1.RandomGrayscale(0.2),
            v1.RandomApply([pil_blur], p=blur),
            v1.ToTensor(),
            v1.Normalize(MEAN, STD),
        ]
    )


def tensor_transform(size: int, blur: float) -> v2.Compose:
    """The same transform of one uint8 tensor image, by torchvision's v2 transforms."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.1, 1), interpolation=v2.InterpolationMode.BICUBIC),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(23, (0.1, 2))], p=blur),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def lightly_transform(size: int, blur: float) -> Callable[[Image.Image], list[Tensor]]:
    """LightlySSL's two views of a PIL image, with the released strengths."""
    transform: Any = SimCLRTransform(input_size=size, cj_strength=0.5, min_scale=0.1, gaussian_blur=blur)
    return transform  # type: ignore[no-any-return]


class TwoViews(Dataset[list[Tensor]]):
    """Two views of each image.

    Args:
        views: makes two views of a PIL image, or of a tensor if `of_tensors`.
    """

    def __init__(self, images: NDArray[np.uint8], views: Callable[[Any], list[Tensor]], of_tensors: bool) -> None:
        self.images, self.views, self.of_tensors = images, views, of_tensors

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[Tensor]:
        pixels = self.images[index]
        return self.views(torch.from_numpy(pixels) if self.of_tensors else Image.fromarray(pixels.transpose(1, 2, 0)))


def images_of(number: int, size: int) -> NDArray[np.uint8]:
    """Noise images (number, 3, size, size) uint8. The time does not depend on the content."""
    return np.random.default_rng(0).integers(0, 256, (number, 3, size, size), dtype=np.uint8)


def loader_rate(dataset: TwoViews, workers: int) -> float:
    """Views/s of a DataLoader, from its third batch on.

    By then every worker has delivered one.
    """
    loader = DataLoader(
        dataset,
        len(dataset) // _LOADER_BATCHES,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context="fork" if workers > 0 else None,
    )
    start, views = 0.0, 0
    for number, (first, second) in enumerate(loader):
        if number == 1:
            start = time.perf_counter()
        elif number > 1:
            views += len(first) + len(second)
    return views / (time.perf_counter() - start)


def image_by_image(size: int, blur: float, number: int) -> dict[str, float]:
    """Views/s of the other pipelines."""
    images = images_of(number, size)
    by_pil, by_tensor = pil_transform(size, blur), tensor_transform(size, blur)
    pil = TwoViews(images, lambda image: [by_pil(image), by_pil(image)], of_tensors=False)
    tensor = TwoViews(images, lambda image: [by_tensor(image), by_tensor(image)], of_tensors=True)
    lightly = TwoViews(images, lightly_transform(size, blur), of_tensors=False)
    return {
        "PIL": loader_rate(pil, 0),
        "PIL, two workers": loader_rate(pil, 2),
        "torchvision v2, two workers": loader_rate(tensor, 2),
        "LightlySSL, two workers": loader_rate(lightly, 2),
    }


def whole_batch(size: int, blur: float, batch_size: int, repeats: int) -> dict[str, float]:
    """Views/s of our augmentation."""
    images = torch.from_numpy(images_of(batch_size, size)).repeat(2, 1, 1, 1)
    strength, position = torch.ones(len(images)), count()

    def rate(augment: BatchAugmenter) -> float:
        call = lambda: augment(images, generator(0, "augment", next(position)), strength)  # noqa: E731
        return 1000 * len(images) / median_ms(call, repeats)

    return {
        f"ours, {form}": rate(BatchAugmenter(blur_probability=blur, **settings)) for form, settings in FORMS.items()
    }


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", help="sides in pixels (default: 32 64 224, quick: 32 224)")
    parser.add_argument("--batch-size", type=int, default=512, help="images, with two views each (default: 512)")
    parser.add_argument("--blur-from", type=int, default=224, help="smallest side that is blurred (default: 224)")
    parser.add_argument("--repeats", type=int, default=15, help="calls of ours in a round (default: 15)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of all pipelines in turn, for medians (default: 3)"
    )
    parser.add_argument("--quick", action="store_true", help="one round, fewer images and calls")
    arguments = parser.parse_args()
    report = Report("augmentation")
    for size in arguments.sizes or ((32, 224) if arguments.quick else (32, 64, 224)):
        blur = 0.5 if size >= arguments.blur_from else 0.0
        batch_size = min(arguments.batch_size, _MAX_PIXELS // size**2)
        number = (960 if size < 200 else 96) * (1 if arguments.quick else 3)
        repeats = 5 if arguments.quick else arguments.repeats
        found: dict[str, list[float]] = {}
        for _ in range(1 if arguments.quick else arguments.rounds):  # in turn, since the machine's speed drifts
            measured = apart(image_by_image, size, blur, number, environment={})
            measured |= apart(whole_batch, size, blur, batch_size, repeats)
            if not arguments.quick:
                plainly = apart(whole_batch, size, blur, batch_size, repeats, environment={})
                measured |= {f"{name}, machine's allocator": rate for name, rate in plainly.items()}
            for name, rate in measured.items():
                found.setdefault(name, []).append(rate)
        rates = {name: statistics.median(several) for name, several in found.items()}
        base = rates["PIL, two workers"]
        report.table(
            f"Augmentation at {size} px{' with blur' if blur else ''}, {2 * batch_size} views in a call of ours",
            ["", "views/s", "times PIL with two workers"],
            [[name, f"{rate:,.0f}", f"{rate / base:.1f}"] for name, rate in rates.items()],
        )
        report.figure(f"augmentation_{size}px_pil_two_workers_per_second", base)
        for form in FORMS:
            key, rate = f"augmentation_{size}px_{form}", rates[f"ours, {form}"]
            report.figure(f"{key}_per_second", rate)
            report.ratio(f"{key}_over_pil_two_workers", rate / base)
            report.ratio(f"{key}_over_lightly_two_workers", rate / rates["LightlySSL, two workers"])
    report.close()


if __name__ == "__main__":
    main()
