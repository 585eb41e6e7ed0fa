"""Opens folders, archives and arrays as sources of images, with or without labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.limits import Limits
from colt_core.data.names import image_names
from colt_core.data.npz import is_npy, map_npy, read_npz
from colt_core.data.sources import (
    ArrayImages,
    FileImages,
    ImageSource,
    Int64,
    LabelledSource,
    UnlabelledSource,
    open_files,
)

SPLITS = ("train", "val", "test")


def open_labelled(
    path: Path, *, nested: bool = False, root: Path | None = None, limits: Limits | None = None
) -> LabelledSource:
    """Open a labelled source.

    A source is a folder, zip, tar or tar.gz of `[train|val|test/]CLASS/IMAGE`, or an .npz. A single
    folder around everything is skipped. An .npz holds `images` and `labels`, and optionally
    `test_images` and `test_labels`. Images are uint8, N x H x W or N x H x W x 1 or 3; labels are N
    integers.

    Args:
        path: the folder or file.
        nested: CLASS may be folders within folders, as `a/airport/terminal` in Places. The whole
            path is then the class name. Use it only with a split list (`keep_listed`). Without one
            it is not clear which folder is the class.
        root: everything that is read must be inside this folder, links included. Default: `path`.

    Raises:
        DataError: if the data cannot be used; the message says what to change.
    """
    limits = limits or Limits()
    files = open_files(path, root, limits)
    if files is None:
        if is_npy(path):
            raise DataError("an .npy has no labels; save images and labels together with numpy.savez")
        return _labelled_npz(read_npz(path, ("images", "labels", "test_images", "test_labels"), limits))
    names = image_names(files.names)
    parts_of_name, class_of_name = _layout(names, nested)
    class_names = _sorted_classes(set(class_of_name))
    index_of = {name: index for index, name in enumerate(class_names)}
    positions: dict[str, list[int]] = defaultdict(list)
    for position, part in enumerate(parts_of_name):
        positions[part].append(position)
    return labelled(
        FileImages(files, names, limits),
        np.array([index_of[name] for name in class_of_name], dtype=np.int64),
        class_names,
        {part: np.array(positions[part], dtype=np.int64) for part in SPLITS if part in positions},
        "folders",
    )


def open_unlabelled(path: Path, *, root: Path | None = None, limits: Limits | None = None) -> UnlabelledSource:
    """Open an unlabelled source.

    It is a folder, zip, tar or tar.gz with images in any arrangement, an .npz with `images`, or an
    .npy of images. Arrays are uint8, N x H x W or N x H x W x 1 or 3. An .npy is not read into
    memory.

    Args and Raises: as for :func:`open_labelled`.
    """
    limits = limits or Limits()
    files = open_files(path, root, limits)
    if files is None:
        if is_npy(path):
            return UnlabelledSource(ArrayImages([("images", map_npy(path, limits))]), "arrays")
        arrays = read_npz(path, ("images",), limits)
        return UnlabelledSource(ArrayImages([("images", _required(arrays, "images"))]), "arrays")
    return UnlabelledSource(FileImages(files, image_names(files.names), limits), "folders")


def labelled(
    images: ImageSource,
    labels: NDArray[Any],
    class_names: Sequence[str],
    parts: dict[str, Int64],
    layout: str | None = None,
) -> LabelledSource:
    """Check and build a labelled source.

    Raises:
        DataError: if there is no training part, fewer than two classes, a label out of range, or a
            class without training images.
    """
    if "train" not in parts:
        raise DataError(f"there is no training part, only {', '.join(parts)}; name its folder 'train'")
    if len(class_names) < 2:
        raise DataError(f"only one class found ({class_names[0]!r}); a data set needs at least two")
    if labels.max() >= len(class_names):
        raise DataError(f"label {labels.max()} is outside 0..{len(class_names) - 1}, the classes of the training part")
    counts = np.bincount(labels[parts["train"]], minlength=len(class_names))
    if (missing := np.flatnonzero(counts == 0)).size:
        named = ", ".join(repr(class_names[c]) for c in missing[:5])
        raise DataError(
            f"{missing.size} of {len(class_names)} classes have no training image: {named}; add some or leave them out"
        )
    return LabelledSource(images, labels.astype(np.int64), tuple(class_names), parts, layout=layout)


def _layout(names: Sequence[str], nested: bool) -> tuple[list[str], list[str]]:
    """Part and class of each image name."""
    paths = [name.split("/") for name in names]
    # Most archives have one folder around everything.
    while min(map(len, paths)) > 2 and len({path[0] for path in paths}) == 1 and paths[0][0] not in SPLITS:
        paths = [path[1:] for path in paths]
    with_parts = any(len(path) > 2 and path[0] in SPLITS for path in paths)
    outside = 1 if with_parts else 0  # folders around CLASS/IMAGE
    for name, path in zip(names, paths, strict=True):
        folders = len(path) - 1 - outside  # of the class
        if folders < 1 or (folders > 1 and not nested) or (with_parts and path[0] not in SPLITS):
            raise DataError(
                f"{name!r} does not fit. Arrange the images as CLASS/IMAGE, or as train/CLASS/IMAGE with optional "
                "val/ and test/. CLASS may be folders within folders only if a split list names the images"
            )
    return [path[0] if with_parts else "train" for path in paths], ["/".join(path[outside:-1]) for path in paths]


def _sorted_classes(names: set[str]) -> list[str]:
    """Sorted by name, or by number if all are numbers, so that '10' follows '9'."""
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _labelled_npz(arrays: dict[str, NDArray[Any]]) -> LabelledSource:
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
    return labelled(images, np.concatenate(labels), [str(c) for c in range(num_classes)], parts, "arrays")


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
