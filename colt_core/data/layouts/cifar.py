"""The layout `cifar`: the python and the binary archives of CIFAR-10 and CIFAR-100.

Downsampled ImageNet (Chrabaszcz et al. 2017) has the python form too.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.labelled import PARTS_READ, labelled_arrays
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.plain_pickle import PlainArray, load_plain
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.text import lines_of
from colt_core.data.warnings import DataWarning

_BATCH = re.compile(r"((train_)?data_batch_(?P<number>\d{1,4})|(?P<part>test)_batch)(\.bin)?|val_data")
_WHOLE = {"train": "train", "test": "test", "train.bin": "train", "test.bin": "test"}  # CIFAR-100
_BESIDE = frozenset({"meta", "fine_label_names.txt"})  # of CIFAR-100; `train` and `test` alone may be anything
_CLASS_NAMES = ("batches.meta", "meta", "batches.meta.txt", "fine_label_names.txt")
_PIXELS = 3 * 32 * 32  # of one image in the binary form


class Cifar:
    """See :class:`colt_core.data.layouts.kinds.CifarLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether files are named as the batches of CIFAR."""
        return bool(_batches(opened))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Images with their fine labels; the coarse ones of CIFAR-100 are not read."""
        batches = _batches(opened)
        names_file = next((name for name in opened.names if _base(name) in _CLASS_NAMES), None)
        contents = opened.contents([*batches, *([names_file] if names_file else [])])
        images: dict[str, list[NDArray[Any]]] = defaultdict(list)
        labels: dict[str, list[NDArray[Any]]] = defaultdict(list)
        for name, part in batches.items():
            pixels, classes = _read_batch(contents.pop(name), name, labelled=True)
            images[part].append(pixels)
            labels[part].append(classes)
        class_names = None if names_file is None else _read_class_names(contents[names_file], names_file)
        return labelled_arrays(
            {part: (f"{part} images", _together(images[part], batches)) for part in images},
            {part: (f"{part} labels", np.concatenate(labels[part])) for part in labels},
            class_names,
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """The training images, or those of the only part."""
        batches = _batches(opened)
        part = next(part for part in PARTS_READ if part in batches.values())
        wanted = [name for name in batches if batches[name] == part]
        contents = opened.contents(wanted)
        pixels = _together([_read_batch(contents.pop(name), name, labelled=False)[0] for name in wanted], wanted)
        left = tuple(name for name in batches if batches[name] != part)
        detail = f"Only the {part} images are the pool. Those of other parts are left out."
        warnings = (DataWarning("parts_left_out", detail, len(left), left),) if left else ()
        return UnlabelledSource(ArrayImages([(f"{part} images", pixels)]), warnings=warnings)


def _batches(opened: Opened) -> dict[str, str]:
    """The part of each batch, in the order of their numbers."""
    of_cifar100 = _BESIDE & set(map(_base, opened.others))
    found: list[tuple[int, str, str]] = []
    for name in opened.others:
        base = _base(name)
        if match := _BATCH.fullmatch(base):
            found.append((int(match["number"] or 0), name, "train" if match["number"] else match["part"] or "val"))
        elif of_cifar100 and base in _WHOLE:
            found.append((0, name, _WHOLE[base]))
    return {name: part for _, name, part in sorted(found)}


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _read_batch(content: bytes, name: str, labelled: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """(N, S, S, 3) uint8 and (N,) int64. Without `labelled`, the labels may be missing: (0,)."""
    if name.endswith(".bin"):
        width = (2 if _base(name) in _WHOLE else 1) + _PIXELS
        if not content or len(content) % width:
            raise DataError(
                f"{name!r} has {len(content):,} bytes, which are not records of {width:,} bytes; download it again"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, width)
        return _as_images(records[:, -_PIXELS:], name), records[:, -_PIXELS - 1].astype(np.int64)
    batch = load_plain(content, name)
    if not isinstance(batch, dict) or not isinstance(batch.get("data"), PlainArray):
        raise DataError(f"{name!r} has no array 'data', as a batch of CIFAR has; download it again")
    images = _as_images(batch["data"].array(f"'data' of {name!r}"), name)
    labels = batch.get("fine_labels", batch.get("labels"))
    if isinstance(labels, PlainArray):
        numbers = labels.array(f"the labels of {name!r}")
    elif isinstance(labels, list) and all(type(label) is int and abs(label) < 2**31 for label in labels):
        numbers = np.array(labels, dtype=np.int64)
    elif labelled:
        raise DataError(f"{name!r} has no list of whole numbers 'labels' or 'fine_labels'; download it again")
    else:
        return images, np.empty(0, np.int64)
    if labelled and (numbers.shape != (len(images),) or numbers.dtype.kind not in "iu"):
        raise DataError(
            f"{name!r} has {len(images)} images, but labels of shape {numbers.shape} and type {numbers.dtype}"
        )
    return images, numbers


def _as_images(rows: NDArray[Any], name: str) -> NDArray[Any]:
    side = math.isqrt(rows.shape[1] // 3) if rows.ndim == 2 else 0
    if rows.ndim != 2 or side < 1 or rows.shape[1] != 3 * side * side or rows.dtype != np.uint8:
        raise DataError(
            f"the images of {name!r} must be uint8 rows of 3 x S x S values; they are {rows.dtype} of shape "
            f"{rows.shape}"
        )
    return rows.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)


def _together(images: list[NDArray[Any]], names: Any) -> NDArray[Any]:
    if len({one.shape[1:] for one in images}) > 1:
        raise DataError(f"the batches {', '.join(map(repr, names))} differ in the size of their images")
    return np.concatenate(images)


def _read_class_names(content: bytes, name: str) -> list[str]:
    if name.endswith(".txt"):
        return [line.strip() for _, line in lines_of(content, name)]
    meta = load_plain(content, name)
    names = meta.get("fine_label_names", meta.get("label_names")) if isinstance(meta, dict) else None
    if not isinstance(names, list) or not all(isinstance(one, str | bytes) for one in names):
        raise DataError(f"{name!r} has no list 'label_names' or 'fine_label_names'; download it again")
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in names]
