"""Two-view augmentation of a batch, against the same transforms image by image:  python -m benchmarks.augmentation

"PIL" is what the released COLT code does for every image (its loader's collation and worker processes left out, so its
rate here is that of one process); "torchvision v2" the same on tensors. From --blur-from pixels on (224: ImageNet-100's
and Places' transform) all blur half of the views. "RandAugment" is ours with BCL-D's two operations, at full strength.
"""

from __future__ import annotations

import argparse
import random
from itertools import count

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision import transforms as v1
from torchvision.transforms import v2

from benchmarks.timing import median_ms, print_table
from colt_core.augment import BatchAugmenter
from colt_core.augment.normalize import MEAN, STD
from colt_core.seeding import generator

_MOST_PIXELS = 6_000_000  # a batch: 512 images of 64 pixels, 119 of 224


def pil_blur(image: Image.Image) -> Image.Image:
    """PIL's Gaussian blur of a random sigma."""
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2)))


def pil_transform(size: int, blur: float = 0.0) -> v1.Compose:
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
    """The same of one uint8 tensor image, by torchvision's v2 transforms."""
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


def pil_views(images: Tensor, transform: v1.Compose) -> Tensor:
    """One view of each image, through PIL."""
    arrays = images.permute(0, 2, 3, 1).numpy()
    return torch.stack([transform(Image.fromarray(pixels)) for pixels in arrays])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[32, 64, 224], help="sides in pixels (default: 32 64 224)"
    )
    parser.add_argument("--batch-size", type=int, default=512, help="images; two views of each (default: 512)")
    parser.add_argument("--blur-from", type=int, default=224, help="smallest side that is blurred (default: 224)")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()

    for size in arguments.sizes:
        blur = 0.5 if size >= arguments.blur_from else 0.0
        rng = np.random.default_rng(0)
        batch_size = min(arguments.batch_size, _MOST_PIXELS // size**2)
        pixels = rng.integers(0, 256, (batch_size, 3, size, size), dtype=np.uint8)
        images = torch.from_numpy(pixels).repeat(2, 1, 1, 1)
        full = torch.ones(len(images))
        plain, strong = (BatchAugmenter(blur_probability=blur, rand_augment=n) for n in (0, 2))
        position = count()
        by_pil, by_tensor = pil_transform(size, blur), tensor_transform(size, blur)
        calls = {
            "PIL, image by image": lambda images=images, by=by_pil: pil_views(images, by),
            "torchvision v2, image by image": lambda images=images, by=by_tensor: torch.stack([by(i) for i in images]),
            "ours, whole batch": lambda images=images, by=plain: by(images, generator(0, "augment", next(position))),  # noqa: B023
            "ours with RandAugment": lambda images=images, by=strong, full=full: by(
                images,
                generator(0, "augment", next(position)),  # noqa: B023
                full,
            ),
        }
        rates = {name: 1000 * len(images) / median_ms(call, arguments.repeats) for name, call in calls.items()}
        slowest = rates["PIL, image by image"]
        print_table(
            f"Augmentation at {size} px{' with blur' if blur else ''}, {len(images)} views a call, "
            f"median of {arguments.repeats}",
            ["", "views/s", "times PIL"],
            [[name, f"{rate:,.0f}", f"{rate / slowest:.1f}"] for name, rate in rates.items()],
        )


if __name__ == "__main__":
    main()
