"""Builds a data set or pool from a source and a specification.

Only images that are kept are decoded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import IMAGES, PARTS, ImageDataset, ImagePool
from colt_core.data.errors import DataError
from colt_core.data.images import UInt8
from colt_core.data.limits import Limits
from colt_core.data.parts import choose_parts
from colt_core.data.rare import registration_warnings
from colt_core.data.sources import ImageSource, LabelledSource, UnlabelledSource
from colt_core.data.spec import DatasetSpec, PoolSpec

Int64 = NDArray[np.int64]
Progress = Callable[[int, int], None]  # (images done, images in all)

_PROGRESS_EVERY = 1000


def build_dataset(
    source: LabelledSource,
    spec: DatasetSpec,
    *,
    into: Path | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> ImageDataset:
    """Cut the parts, then read the images that they keep.

    Args:
        source: from `open_labelled`, `torchvision_labelled` or `sample_labelled`.
        into: the folder to save the data set in. Images are written there directly, so they may be
            larger than memory. If this fails, the caller removes the folder. None: memory only.
        progress: called now and then with the number of images read. It may raise to stop.

    Raises:
        DataError: if the source does not carry the data set; the message says what to change.
    """
    parts = choose_parts(source, spec)
    only_probe = np.setdiff1d(parts["probe"], parts["train"])
    stored = np.concatenate([parts["train"], only_probe, parts.get("val", np.empty(0, dtype=np.int64)), parts["test"]])
    index_of = np.full(len(source.labels), -1, dtype=np.int64)
    index_of[stored] = np.arange(len(stored))
    images = _read(source.images, stored, spec.image_size, into, limits or Limits(), progress)
    dataset = ImageDataset(
        images=images,
        labels=source.labels[stored],
        class_names=source.class_names,
        parts={name: index_of[parts[name]] if name in parts else np.empty(0, dtype=np.int64) for name in PARTS},
        layout=source.layout,
        warnings=(*source.warnings, *registration_warnings(source.class_names, source.labels, parts)),
    )
    if into is not None:
        dataset.save_labels(into)
    return dataset


def build_pool(
    source: UnlabelledSource,
    spec: PoolSpec,
    *,
    into: Path | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> ImagePool:
    """Read every image of the source. Args and Raises: as for :func:`build_dataset`."""
    everything = np.arange(len(source.images))
    images = _read(source.images, everything, spec.image_size, into, limits or Limits(), progress)
    pool = ImagePool(images, source.layout, source.warnings)
    if into is not None:
        pool.save_meta(into)
    return pool


def _read(
    source: ImageSource,
    positions: Int64,
    size: int | None,
    into: Path | None,
    limits: Limits,
    progress: Progress | None,
) -> UInt8:
    """(len(positions), 3, S, S) uint8 images, in the order of `positions`."""
    index_of = np.full(len(source), -1, dtype=np.int64)
    index_of[positions] = np.arange(len(positions))
    images: UInt8 | None = None
    first = 0
    with closing(source.read(positions, size)) as read:
        for done, (position, pixels) in enumerate(read, start=1):
            if images is None:
                first = position
                images = _allocate(len(positions), _square_side(pixels, source.name(position)), into, limits)
            if pixels.shape != images.shape[1:]:
                raise DataError(
                    f"the images differ in size: {source.name(first)!r} is {_shown(images[0])}, "
                    f"{source.name(position)!r} is {_shown(pixels)} pixels; set image_size to resize them"
                )
            images[index_of[position]] = pixels
            if progress is not None and (done % _PROGRESS_EVERY == 0 or done == len(positions)):
                progress(done, len(positions))
    if images is None or done != len(positions):
        raise DataError("the source has fewer images than it listed: it changed while it was read; try again")
    if isinstance(images, np.memmap):
        images.flush()
    return images


def _allocate(count: int, side: int, into: Path | None, limits: Limits) -> UInt8:
    shape = (count, 3, side, side)
    if (needed := count * 3 * side * side) > limits.max_bytes:
        raise DataError(
            f"{count:,} images of {side} x {side} pixels take {needed:,} bytes, more than {limits.max_bytes:,}; set a "
            "smaller image_size"
        )
    if into is None:
        return np.empty(shape, dtype=np.uint8)
    into.mkdir(parents=True, exist_ok=True)
    mapped: UInt8 = np.lib.format.open_memmap(into / IMAGES, mode="w+", dtype=np.uint8, shape=shape)
    if sys.platform == "linux":  # a full disk is an OSError here, but a SIGBUS in a write to the map
        with (into / IMAGES).open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, (into / IMAGES).stat().st_size)
    return mapped


def _square_side(pixels: UInt8, name: str) -> int:
    _, height, width = pixels.shape
    if height != width:
        raise DataError(
            f"{name!r} is {_shown(pixels)} pixels, not square; set image_size to crop and resize the images"
        )
    if width > 1024 or width < 8:
        raise DataError(f"{name!r} is {_shown(pixels)} pixels; set image_size (8..1024) to resize the images")
    return int(width)


def _shown(pixels: UInt8) -> str:
    return f"{pixels.shape[2]} x {pixels.shape[1]}"
