"""Builds a data set or pool from a source and a specification.

Only images that are kept are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colt_core.data.conversion import HIGHEST, LOWEST, Conversion, ToExtremes, ToPixels, extremes
from colt_core.data.counts import images_bytes
from colt_core.data.dataset import PARTS, ImageDataset, ImagePool
from colt_core.data.digests import SortedDigests
from colt_core.data.errors import DamagedImage, DataError
from colt_core.data.findings import damaged_left_out, found_in_dataset, found_in_pool
from colt_core.data.image_array import ImageArray
from colt_core.data.images import UInt8
from colt_core.data.label_names import renamed
from colt_core.data.limits import Limits
from colt_core.data.parts import choose_parts
from colt_core.data.rare import registration_warnings
from colt_core.data.sources import ImageSource, LabelledSource, UnlabelledSource
from colt_core.data.spec import DatasetSpec, ImageSpec, PoolSpec
from colt_core.data.warnings import DataWarning

Int64 = NDArray[np.int64]
Progress = Callable[[int, int], None]  # (images done, images in all)
Approve = Callable[[int], None]  # (bytes of the images); raises to refuse

MAX_DAMAGED = 0.01  # share of the images that `on_damaged` may leave out

_PROGRESS_EVERY = 1000
_NAMED = 3  # damaged files that a refusal names


def build_dataset(
    source: LabelledSource,
    spec: DatasetSpec,
    *,
    into: Path | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    approve: Approve | None = None,
) -> ImageDataset:
    """Cut the parts, then read the images that they keep.

    Args:
        source: from `open_labelled`, `torchvision_labelled` or `sample_labelled`.
        into: the folder to save the data set in. Images are written there directly, so they may be
            larger than memory. If this fails, the caller removes the folder. None: memory only.
        progress: called now and then with the number of images read. It may raise to stop.
        approve: called with the bytes that the images will take, before they are read. Without an
            image_size, the first image is read before. It may raise to refuse.

    Raises:
        DataError: if the source does not carry the data set; the message says what to change.
    """
    if spec.label_names is not None:
        source = renamed(source, spec.label_names)
    parts = choose_parts(source, spec)
    only_probe = np.setdiff1d(parts["probe"], parts["train"])
    stored = np.concatenate([parts["train"], only_probe, parts.get("val", np.empty(0, dtype=np.int64)), parts["test"]])
    read = _read(source.images, stored, spec, into, limits or Limits(), progress, approve)
    index_of = np.full(len(source.labels), -1, dtype=np.int64)
    index_of[read.positions] = np.arange(len(read.positions))
    indices = {name: index_of[parts[name]] if name in parts else np.empty(0, dtype=np.int64) for name in PARTS}
    indices = {name: of_part[of_part >= 0] for name, of_part in indices.items()}  # without damaged files
    labels = source.labels[read.positions]
    _check_classes(labels[indices["train"]], source.class_names, read)
    dataset = ImageDataset(
        images=read.images,
        labels=labels,
        class_names=source.class_names,
        parts=indices,
        layout=source.layout,
        warnings=(
            *source.warnings,
            *registration_warnings(source.class_names, labels, indices),
            *read.warnings,
            *found_in_dataset(read.digests, read.blank, labels, source.class_names, indices, read.name),
        ),
        value_range=read.value_range,
    )
    if into is not None:
        dataset.save_labels(into)
        read.digests.save(into)
    return dataset


def build_pool(
    source: UnlabelledSource,
    spec: PoolSpec,
    *,
    into: Path | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    approve: Approve | None = None,
) -> ImagePool:
    """Read every image of the source. Args and Raises: as for :func:`build_dataset`."""
    everything = np.arange(len(source.images))
    read = _read(source.images, everything, spec, into, limits or Limits(), progress, approve)
    found = found_in_pool(read.digests, read.blank, read.name)
    pool = ImagePool(read.images, source.layout, (*source.warnings, *read.warnings, *found), read.value_range)
    if into is not None:
        pool.save_meta(into)
        read.digests.save(into)
    return pool


@dataclass(frozen=True, slots=True)
class _Read:
    """The images of a source that are kept.

    Attributes:
        images: (N, 3, S, S).
        positions: (N,) of the source.
        digests: of the N images.
        blank: indices of images of a single colour.
        damaged: names of the files that were left out.
        value_range: values of 16-bit images that became 0 and 255, if there are any.
    """

    source: ImageSource
    images: UInt8
    positions: Int64
    digests: SortedDigests
    blank: Int64
    damaged: list[str]
    value_range: tuple[int, int] | None

    def name(self, index: int) -> str:
        """What the source calls the image."""
        return self.source.name(int(self.positions[index]))

    @property
    def warnings(self) -> tuple[DataWarning, ...]:
        """About the files that were left out."""
        total = len(self.positions) + len(self.damaged)
        return (damaged_left_out(self.damaged, total),) if self.damaged else ()


def _read(
    source: ImageSource,
    positions: Int64,
    spec: ImageSpec,
    into: Path | None,
    limits: Limits,
    progress: Progress | None,
    approve: Approve | None,
) -> _Read:
    """Read the images at `positions`, in this order, as `spec` asks for them."""
    if approve is not None and spec.image_size is not None:
        approve(images_bytes(len(positions), spec.image_size))
    passes = 2 if spec.bit_depth == "scale" and spec.value_range is None else 1
    value_range, damaged = spec.value_range, _Damaged(spec.on_damaged == "skip", len(positions))
    if passes == 2:
        with closing(_images(source, positions, ToExtremes(), damaged, progress, (0, 2))) as measured:
            value_range = _value_range(measured)
        damaged = _Damaged(damaged.allowed, len(positions))
    index_of = np.full(len(source), -1, dtype=np.int64)
    index_of[positions] = np.arange(len(positions))
    array: ImageArray | None = None
    first = ""
    conversion = ToPixels(spec.image_size, spec.fit, spec.background_rgb, value_range)
    with closing(_images(source, positions, conversion, damaged, progress, (passes - 1, passes))) as images:
        for some, block in images:
            if array is None:
                first = source.name(int(some[0]))
                side = _square_side(block[0], first)
                if approve is not None and spec.image_size is None:
                    approve(images_bytes(len(positions), side))
                array = ImageArray(len(positions), side, into, limits)
            if block.shape[1:] != array.images.shape[1:]:
                raise DataError(
                    f"the images differ in size: {first!r} is {_shown(array.images[0])}, "
                    f"{source.name(int(some[0]))!r} is {_shown(block[0])} pixels; set image_size to resize them"
                )
            array.put(index_of[some], block)
    if array is None:
        raise _changed()
    left_out = np.sort(index_of[damaged.positions])
    array.finish(left_out)
    return _Read(
        source,
        array.images,
        np.delete(positions, left_out),
        SortedDigests.of(array.digests),
        np.flatnonzero(array.blank),
        [source.name(position) for position in sorted(damaged.positions)],
        value_range,
    )


class _Damaged:
    """Which images are damaged, and whether they may be left out."""

    def __init__(self, allowed: bool, total: int) -> None:
        self.allowed = allowed
        self.positions: list[int] = []
        self._most = int(MAX_DAMAGED * total)
        self._errors: list[str] = []
        self._total = total

    def add(self, position: int, error: DamagedImage) -> None:
        """Note a damaged image.

        Raises:
            DataError: if it may not be left out, or too many are damaged.
        """
        if not self.allowed:
            raise error
        self.positions.append(position)
        self._errors.append(str(error))
        if len(self.positions) > self._most:
            raise DataError(
                f"more than 1 % of the {self._total:,} images are damaged, and on_damaged 'skip' leaves out no more: "
                f"{'; '.join(self._errors[:_NAMED])}"
            )


def _images(
    source: ImageSource,
    positions: Int64,
    conversion: Conversion,
    damaged: _Damaged,
    progress: Progress | None,
    which: tuple[int, int],
) -> Generator[tuple[Int64, UInt8]]:
    """(positions, converted images) of all images that are whole, in blocks.

    Args:
        which: this pass over the images, counted from 0, and how many there are.
    """
    count, (this, passes) = len(positions), which
    done = 0
    with closing(source.read(positions, conversion)) as read:
        for some, block in read:
            if isinstance(block, DamagedImage):
                damaged.add(int(some[0]), block)
            else:
                yield some, block
            before, done = done, done + len(some)
            if progress is not None:
                for reached in range(before + 1, done + 1):
                    if reached % _PROGRESS_EVERY == 0 or reached == count:
                        progress(this * count + reached, passes * count)
    if done != count:
        raise _changed()


def _value_range(measured: Iterator[tuple[Int64, UInt8]]) -> tuple[int, int] | None:
    """The smallest and the largest value of all 16-bit images; None if there are none."""
    low, high = HIGHEST, LOWEST
    for _, packed in measured:
        lowest, highest = extremes(packed)
        low, high = min(low, lowest), max(high, highest)
    return None if low > high else (low, high)


def _check_classes(trained_on: Int64, class_names: tuple[str, ...], read: _Read) -> None:
    """Raise DataError for classes whose training images were all damaged."""
    if read.damaged and (missing := np.setdiff1d(np.arange(len(class_names)), trained_on)).size:
        named = ", ".join(repr(class_names[c]) for c in missing[:5])
        raise DataError(
            f"{missing.size} classes have no training image left without the damaged files: {named}; repair "
            f"{read.damaged[0]!r}, or leave these classes out"
        )


def _changed() -> DataError:
    return DataError("the source has fewer images than it listed: it changed while it was read; try again")


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
