"""Registered data sets and OOD pools: arrays in memory, a folder of plain arrays on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from colt_core.data.digests import SortedDigests, digests_of
from colt_core.data.errors import DataError
from colt_core.data.warnings import DataWarning

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]

PARTS = ("train", "probe", "val", "test")
IMAGES, LABELS, PARTS_FILE, META = "images.npy", "labels.npy", "parts.npz", "meta.json"
_FORMAT = 1


class Labelled:
    """What follows from labels and parts alone, without the images."""

    __slots__ = ()
    labels: Int64
    class_names: tuple[str, ...]
    parts: dict[str, Int64]

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return len(self.class_names)

    @property
    def class_counts(self) -> list[int]:
        """Training images of each class."""
        return self.counts("train")

    @property
    def split_sizes(self) -> dict[str, int]:
        """Images of each part. An image in both the probe and the training part counts twice."""
        return {name: len(self.parts[name]) for name in PARTS}

    def counts(self, part: str) -> list[int]:
        """Images of each class in a part.

        Raises:
            KeyError: if there is no such part.
        """
        counts: list[int] = np.bincount(self.labels[self.parts[part]], minlength=self.num_classes).tolist()
        return counts

    def _check_labels(self) -> None:
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_names):
            raise DataError(f"labels must be in 0..{len(self.class_names) - 1}")
        if set(self.parts) != set(PARTS):
            raise DataError(f"a data set must have the parts {', '.join(PARTS)}, not {', '.join(self.parts)}")
        for name, indices in self.parts.items():
            if indices.size and (indices.min() < 0 or indices.max() >= len(self.labels)):
                raise DataError(f"part '{name}' points outside the {len(self.labels)} images")
        train = self.parts["train"]
        if train.size == 0 or not np.array_equal(train, np.arange(len(train))):
            raise DataError("the training part must come first: 0..n-1, and not be empty")


@dataclass(frozen=True, slots=True)
class DatasetLabels(Labelled):
    """A data set without its images, for code that needs only classes.

    Attributes are those of :class:`ImageDataset`.
    """

    labels: Int64
    class_names: tuple[str, ...]
    parts: dict[str, Int64]

    def __post_init__(self) -> None:
        self._check_labels()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`ImageDataset.save_labels` wrote. No file of images is opened.

        Raises:
            DataError: if the folder holds no data set, or a damaged one.
        """
        return cls(*_load_labels(folder))


@dataclass(frozen=True, slots=True)
class ImageDataset(Labelled):
    """Labelled images in parts.

    Attributes:
        images: (N, 3, S, S) uint8, possibly memory-mapped.
        labels: (N,) int64 in 0..C-1.
        class_names: C names.
        parts: indices by part name, for all of PARTS. `train` is 0..n-1, so a training image has
            the same index in the part, the tailness array and the data set. `val` may be empty.
            `probe` may share images with `train`.
        layout: how the source was arranged. None: not from files, or not known.
        warnings: what was found while the data set was built.
        value_range: the values of 16-bit images that became 0 and 255. None: there were none, or
            it is not known.

    Raises:
        DataError: if the arrays do not fit together.
    """

    images: UInt8
    labels: Int64
    class_names: tuple[str, ...]
    parts: dict[str, Int64]
    layout: str | None = None
    warnings: tuple[DataWarning, ...] = ()
    value_range: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise DataError(
                f"{len(self.images)} images need as many int64 labels, not {self.labels.dtype} {self.labels.shape}"
            )
        self._check_labels()

    @property
    def image_size(self) -> int:
        """S, in pixels."""
        return int(self.images.shape[-1])

    def part(self, name: str) -> tuple[UInt8, Int64]:
        """(images, labels) of a part: a view if its indices are consecutive, else a copy.

        Raises:
            KeyError: if there is no such part.
        """
        indices = self.parts[name]
        if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
            run = slice(int(indices[0]), int(indices[0]) + len(indices))
            return self.images[run], self.labels[run]
        return self.images[indices], self.labels[indices]

    def save(self, folder: Path) -> None:
        """Write images, digests, labels, parts and `meta.json`; create `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / IMAGES, self.images)
        SortedDigests.of(digests_of(self.images)).save(folder)
        self.save_labels(folder)

    def save_labels(self, folder: Path) -> None:
        """Write everything except images and digests, which may have been written in place."""
        np.save(folder / LABELS, self.labels)
        arrays: dict[str, Any] = dict(self.parts)
        np.savez(folder / PARTS_FILE, **arrays)
        _write_meta(folder, {"class_names": list(self.class_names), **_meta_of(self)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote. The images stay on disk, memory-mapped and read-only.

        Raises:
            DataError: if the folder holds no data set, or a damaged one.
        """
        labels, class_names, parts = _load_labels(folder)
        return cls(_load_images(folder), labels, class_names, parts, **_found(_read_meta(folder)))


@dataclass(frozen=True, slots=True)
class ImagePool:
    """Unlabelled images, from which OOD images are picked.

    Attributes:
        images: (M, 3, S, S) uint8, possibly memory-mapped.
        layout, warnings, value_range: as for :class:`ImageDataset`.
    """

    images: UInt8
    layout: str | None = None
    warnings: tuple[DataWarning, ...] = ()
    value_range: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_size(self) -> int:
        """S, in pixels."""
        return int(self.images.shape[-1])

    def save(self, folder: Path) -> None:
        """Write images, digests and `meta.json`; create `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / IMAGES, self.images)
        SortedDigests.of(digests_of(self.images)).save(folder)
        self.save_meta(folder)

    def save_meta(self, folder: Path) -> None:
        """Write everything except images and digests, which may have been written in place."""
        _write_meta(folder, _meta_of(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map the images that :meth:`save` wrote. A data set's folder works too.

        Raises:
            DataError: if the folder holds no pool, or a damaged one.
        """
        return cls(_load_images(folder), **_found(_read_meta(folder)))


def training_part(data: ImageDataset | ImagePool) -> tuple[UInt8, Int64 | None]:
    """(images, labels) to pretrain on. Of images without labels, all are trained on, and labels are
    None."""
    return data.part("train") if isinstance(data, ImageDataset) else (data.images, None)


def is_artifact(folder: Path) -> bool:
    """Whether `folder` holds a saved data set or pool."""
    return (folder / META).is_file() and (folder / IMAGES).is_file()


def _check_images(images: UInt8) -> None:
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or 0 in shape:
        raise DataError(f"images must be uint8 of shape (N, 3, S, S), not {images.dtype} {shape}")


def _load_labels(folder: Path) -> tuple[Int64, tuple[str, ...], dict[str, Int64]]:
    """Labels, class names and parts."""
    meta = _read_meta(folder)
    if "class_names" not in meta:
        raise DataError(f"{folder.name!r} is an OOD pool, not a data set: it has no labels")
    try:
        with np.load(folder / PARTS_FILE, allow_pickle=False) as parts:
            indices = {name: parts[name] for name in parts.files}
        labels: Int64 = np.load(folder / LABELS, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"the data set {folder.name!r} is damaged: labels or parts cannot be read") from error
    return labels, tuple(meta["class_names"]), indices


def _load_images(folder: Path) -> UInt8:
    path = folder / IMAGES
    try:
        # All processes that use the images share the map. Once its pages are loaded, batches are
        # gathered at four fifths of the rate of private memory. For 50,000 images of 32 pixels that
        # costs some milliseconds.
        mapped: UInt8 = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped
    except (OSError, ValueError) as error:
        raise DataError(f"the images of {folder.name!r} cannot be read") from error


def findings(data: ImageDataset | ImagePool) -> dict[str, Any]:
    """Layout and warnings, as JSON."""
    return {"layout": data.layout, "warnings": [asdict(warning) for warning in data.warnings]}


def _meta_of(data: ImageDataset | ImagePool) -> dict[str, Any]:
    return {**findings(data), "value_range": data.value_range}


def _found(meta: dict[str, Any]) -> dict[str, Any]:
    """What :func:`_meta_of` gave. Folders of earlier versions have none of it."""
    value_range = meta.get("value_range")
    return {
        "layout": meta.get("layout"),
        "warnings": tuple(DataWarning(**found) for found in meta.get("warnings", [])),
        "value_range": None if value_range is None else tuple(value_range),
    }


def _write_meta(folder: Path, meta: dict[str, Any]) -> None:
    (folder / META).write_text(json.dumps({"format": _FORMAT, **meta}, ensure_ascii=False), "utf-8")


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta: Any = json.loads((folder / META).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.name!r} is not a saved data set or pool: it has no readable {META}") from error
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise DataError(f"{folder.name!r} was saved in a format that this version does not read")
    return meta
