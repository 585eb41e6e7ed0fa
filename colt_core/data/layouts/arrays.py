"""The layout `arrays`: one npz of images and labels. A pool may also be one npy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.labelled import labelled
from colt_core.data.layouts.layout import Opened
from colt_core.data.npz import is_npy, is_npz, map_npy, read_npz
from colt_core.data.sources import ArrayImages, Int64, LabelledSource, UnlabelledSource


class Arrays:
    """See :class:`colt_core.data.layouts.kinds.ArraysLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether it is an npz or npy."""
        return opened.files is None and (is_npy(opened.path) or is_npz(opened.path, opened.limits))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Images are uint8, N x H x W or N x H x W x 1 or 3; labels are N integers."""
        if is_npy(opened.path):
            raise DataError("an .npy has no labels; save images and labels together with numpy.savez")
        arrays = read_npz(opened.path, ("images", "labels", "test_images", "test_labels"), opened.limits)
        if ("test_images" in arrays) != ("test_labels" in arrays):
            raise DataError("'test_images' and 'test_labels' must be given together; one of them is missing")
        prefixes = ("", "test_") if "test_images" in arrays else ("",)
        images = ArrayImages([(f"{prefix}images", _required(arrays, f"{prefix}images")) for prefix in prefixes])
        labels = [_checked_labels(arrays, prefix) for prefix in prefixes]
        num_classes = int(labels[0].max()) + 1
        if num_classes > len(labels[0]):
            raise DataError(f"label {num_classes - 1} is larger than the number of images; labels must be 0..C-1")
        parts = {"train": np.arange(len(labels[0]))}
        if len(labels) > 1:
            parts["test"] = np.arange(len(labels[0]), len(images))
        return labelled(images, np.concatenate(labels), [str(c) for c in range(num_classes)], parts)

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """The training images. An .npy is not read into memory."""
        if is_npy(opened.path):
            return UnlabelledSource(ArrayImages([("images", map_npy(opened.path, opened.limits))]))
        arrays = read_npz(opened.path, ("images",), opened.limits)
        return UnlabelledSource(ArrayImages([("images", _required(arrays, "images"))]))


def _required(arrays: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in arrays:
        raise DataError(f"the .npz has no array '{name}'; save it as numpy.savez(file, {name}=...)")
    return arrays[name]


def _checked_labels(arrays: dict[str, NDArray[Any]], prefix: str) -> Int64:
    labels, count = _required(arrays, f"{prefix}labels"), len(arrays[f"{prefix}images"])
    if labels.dtype.kind not in "iu":
        raise DataError(f"'{prefix}labels' must be integers, but is {labels.dtype}")
    if labels.shape != (count,):
        raise DataError(
            f"'{prefix}labels' must have one number for each of the {count} images; its shape is {labels.shape}"
        )
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise DataError(f"'{prefix}labels' holds {labels.min()}; labels must be 0..C-1")
    return labels
