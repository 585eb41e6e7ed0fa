"""How many images a source has, by a header or its name, and the bytes that they take."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from colt_core.data.errors import DataError
from colt_core.data.layouts.arrays import image_arrays
from colt_core.data.limits import Limits
from colt_core.data.names import IMAGE_SUFFIXES
from colt_core.data.npz import array_shapes, is_npy
from colt_core.data.spec import DatasetSample, PoolSample, TorchvisionName
from colt_core.data.zip_directory import read_directory

# A look at a file must be quick: larger directories are left to the registration.
_QUICK = Limits(max_files=10_000)
# Training and test images; and those of a pool: the training part, of STL10 the unlabelled one.
_NAMED: dict[TorchvisionName | DatasetSample | PoolSample, tuple[int, int]] = {
    "CIFAR10": (60_000, 50_000),
    "CIFAR100": (60_000, 50_000),
    "STL10": (13_000, 100_000),
    "SVHN": (99_289, 73_257),
    "MNIST": (70_000, 60_000),
    "FashionMNIST": (70_000, 60_000),
}


def images_bytes(count: int, side: int) -> int:
    """Bytes of so many stored images: three channels of one byte, `side` pixels square."""
    return count * 3 * side * side


def named_count(name: TorchvisionName | DatasetSample | PoolSample, *, for_pool: bool) -> int | None:
    """Images of a data set that has a name; None for a bundled sample, which is small."""
    counts = _NAMED.get(name)
    return None if counts is None else counts[for_pool]


def counted(path: Path, *, for_pool: bool) -> tuple[int, int | None] | None:
    """(images, their side in pixels if it is the same and known) of an uploaded file.

    Arrays have both in their headers. Those that are not read do not count: a pool is the training
    images. Of a zip of image files, the names are counted. None: another
    file, or one that is damaged or has a large directory.
    """
    try:
        if is_npy(path) or path.suffix.lower() == ".npz":
            there = array_shapes(path, _QUICK)
            read = there if is_npy(path) else image_arrays(list(there), for_pool=for_pool)
            shapes = [there[name] for name in read if len(there[name]) >= 3]
            sides = {shape[2] for shape in shapes}
            return sum(shape[0] for shape in shapes), sides.pop() if len(sides) == 1 else None
        if zipfile.is_zipfile(path):
            names = (PurePosixPath(entry.name) for entry in read_directory(path, _QUICK))
            return sum(name.suffix.lower() in IMAGE_SUFFIXES for name in names), None
    except (DataError, zipfile.BadZipFile, ValueError, OSError):  # the registration says what is wrong
        return None
    return None
