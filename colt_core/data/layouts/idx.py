"""The layout `idx`: the format of MNIST and its relatives (LeCun et al.), gzipped or not."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.data.errors import DataError
from colt_core.data.gunzip import gunzipped, is_gzip
from colt_core.data.labelled import PARTS_READ, labelled_arrays
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.part_names import part_of
from colt_core.data.limits import Limits
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.warnings import DataWarning

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_DIMENSIONS = 4
# As `train-images-idx3-ubyte.gz`, `t10k-labels.idx1-ubyte`, `emnist-mnist-test-labels-idx1-ubyte`.
_NAME = re.compile(r"(?P<set>.*?)[-_.]?(?P<role>images|labels)[-_.]idx\d-\w+(?P<gzip>\.gz)?", re.IGNORECASE)


@dataclass(frozen=True, order=True, slots=True)
class _File:
    gzip: bool
    depth: int
    name: str


class Idx:
    """See :class:`colt_core.data.layouts.kinds.IdxLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether one file begins as IDX does, or files are named as those of MNIST."""
        if opened.files is None:
            head = opened.head
            return head[:2] == b"\0\0" and len(head) > 3 and head[2] in _TYPES and 1 <= head[3] <= _MOST_DIMENSIONS
        return any(_NAME.fullmatch(name.rpartition("/")[2]) for name in opened.others)

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """The images and labels of each part."""
        if opened.files is None:
            raise DataError(
                f"{opened.name!r} has no labels: pack it together with its labels file into one zip or folder, as "
                "train-images-idx3-ubyte and train-labels-idx1-ubyte"
            )
        files, warnings = _by_role(opened)
        for role, part in files:
            if (other := "labels" if role == "images" else "images", part) not in files:
                raise DataError(f"{files[role, part]!r} has no {other} beside it; add the file of {part} {other}")
        contents = opened.contents(files.values())
        arrays = {key: (name, parse(contents.pop(name), name, opened.limits)) for key, name in files.items()}
        images, labels = (
            {part: arrays[role, part] for part in PARTS_READ if (role, part) in arrays} for role in ("images", "labels")
        )
        return labelled_arrays(images, labels, warnings=warnings)

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """The training images, or the only file of images."""
        if opened.files is None:
            content = opened.whole_file()
            return UnlabelledSource(ArrayImages([(opened.name, parse(content, opened.name, opened.limits))]))
        files, warnings = _by_role(opened)
        images = {part: name for (role, part), name in files.items() if role == "images"}
        if not images:
            raise DataError(f"{next(iter(files.values()))!r} holds labels, and there are no images beside it")
        part = next(part for part in PARTS_READ if part in images)
        if left := [name for other, name in images.items() if other != part]:
            detail = f"Only the {part} images are the pool. Those of other parts, such as {left[0]!r}, are left out."
            warnings.append(DataWarning("parts_left_out", detail, len(left), tuple(left)))
        name = images[part]
        array = parse(opened.contents([name])[name], name, opened.limits)
        return UnlabelledSource(ArrayImages([(name, array)]), warnings=tuple(warnings))


def parse(content: bytes, name: str, limits: Limits) -> NDArray[Any]:
    """The array of an IDX file, gzipped or not.

    Raises:
        DataError: if it is damaged, or its size is not what its header says.
    """
    if is_gzip(content):
        content = gunzipped(content, name, limits)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise DataError(f"{name!r} does not begin as an IDX file; download it again")
    dimensions, dtype = content[3], np.dtype(_TYPES[content[2]])
    start = 4 + 4 * dimensions
    if not 1 <= dimensions <= _MOST_DIMENSIONS or len(content) < start:
        raise DataError(f"{name!r} has {dimensions} dimensions; an IDX file of images or labels has 1 to 4")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) != start + math.prod(shape) * dtype.itemsize:
        raise DataError(
            f"{name!r} claims the shape {shape} but holds {len(content) - start:,} bytes of values; download it again"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _by_role(opened: Opened) -> tuple[dict[tuple[str, str], str], list[DataWarning]]:
    """The file of each role (images, labels) and part, and a warning about copies."""
    files: dict[tuple[str, str], list[_File]] = {}
    sets: dict[str, str] = {}
    for name in opened.names:
        match = _NAME.fullmatch(name.rpartition("/")[2])
        if match is None:
            continue
        words = [word for word in re.split(r"[-_.]", match["set"].lower()) if word]
        part = next(filter(None, map(_part, words)), "train")
        sets.setdefault("-".join(word for word in words if _part(word) is None), name)
        file = _File(match["gzip"] is not None, name.count("/"), name)
        files.setdefault((match["role"].lower(), part), []).append(file)
    if len(sets) > 1:
        named = ", ".join(repr(name) for name in sorted(sets.values())[:5])
        raise DataError(f"there are IDX files of {len(sets)} sets of images: {named}; keep the files of one")
    copies = [file.name for of_key in files.values() for file in sorted(of_key)[1:]]
    warnings = []
    if copies:
        detail = f"Second files of the same images or labels were not read, such as {copies[0]!r}."
        warnings.append(DataWarning("files_passed_over", detail, len(copies), tuple(copies)))
    return {key: min(of_key).name for key, of_key in files.items()}, warnings


def _part(word: str) -> str | None:
    return "test" if word == "t10k" else part_of(word)
