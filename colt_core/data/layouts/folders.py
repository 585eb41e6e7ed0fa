"""The layout `folders`: class folders of images, optionally within folders for the parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import PARTS_READ, labelled, sorted_classes
from colt_core.data.layouts.layout import Opened
from colt_core.data.names import image_names, is_image
from colt_core.data.sources import FileImages, LabelledSource, UnlabelledSource


class Folders:
    """See :class:`colt_core.data.layouts.kinds.FoldersLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether there is any image."""
        return any(map(is_image, opened.names))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """`[train|val|test/]CLASS/IMAGE`. A single folder around everything is skipped."""
        assert opened.files is not None
        names = image_names(opened.files.names)
        parts_of_name, class_of_name = _layout(names)
        class_names = sorted_classes(class_of_name)
        index_of = {name: index for index, name in enumerate(class_names)}
        positions: dict[str, list[int]] = defaultdict(list)
        for position, part in enumerate(parts_of_name):
            positions[part].append(position)
        return labelled(
            FileImages(opened.files, names, opened.limits),
            np.array([index_of[name] for name in class_of_name], dtype=np.int64),
            class_names,
            {part: np.array(positions[part], dtype=np.int64) for part in PARTS_READ if part in positions},
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of the tree."""
        assert opened.files is not None
        return UnlabelledSource(FileImages(opened.files, image_names(opened.files.names), opened.limits))


def _layout(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part and class of each image name."""
    paths = [name.split("/") for name in names]
    # Most archives have one folder around everything.
    while min(map(len, paths)) > 2 and len({path[0] for path in paths}) == 1 and paths[0][0] not in PARTS_READ:
        paths = [path[1:] for path in paths]
    with_parts = any(len(path) > 2 and path[0] in PARTS_READ for path in paths)
    outside = 1 if with_parts else 0  # folders around CLASS/IMAGE
    for name, path in zip(names, paths, strict=True):
        if len(path) - 1 - outside < 1 or (with_parts and path[0] not in PARTS_READ):
            raise DataError(
                f"{name!r} does not fit. Arrange the images as CLASS/IMAGE, or as train/CLASS/IMAGE with optional "
                "val/ and test/"
            )
    return [path[0] if with_parts else "train" for path in paths], ["/".join(path[outside:-1]) for path in paths]
