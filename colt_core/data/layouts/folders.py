"""The layout `folders`: class folders of images, optionally within folders for the parts."""

from __future__ import annotations

import numpy as np

from colt_core.data.labelled import PARTS_READ, labelled, sorted_classes
from colt_core.data.layouts.arrangement import arrange
from colt_core.data.layouts.layout import Opened
from colt_core.data.names import image_names, is_image
from colt_core.data.sources import FileImages, LabelledSource, UnlabelledSource


class Folders:
    """See :class:`colt_core.data.layouts.kinds.FoldersLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether there is any image."""
        return any(map(is_image, opened.names))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """`[PART/]CLASS/IMAGE`, see :func:`colt_core.data.layouts.arrangement.arrange`."""
        assert opened.files is not None
        names = image_names(opened.files.names)
        folder_of = [name.rpartition("/")[0] for name in names]
        found = arrange(dict(zip(reversed(folder_of), reversed(names), strict=True)))
        class_names = sorted_classes(found.class_name.values())
        index_of = {name: index for index, name in enumerate(class_names)}
        class_of = {folder: index_of[name] for folder, name in found.class_name.items()}
        part_of = {folder: PARTS_READ.index(part) for folder, part in found.part.items()}
        parts = np.array([part_of[folder] for folder in folder_of])
        return labelled(
            FileImages(opened.files, names, opened.limits),
            np.array([class_of[folder] for folder in folder_of], dtype=np.int64),
            class_names,
            {name: of_part for part, name in enumerate(PARTS_READ) if (of_part := np.flatnonzero(parts == part)).size},
            [*found.warnings, *opened.passed_over()],
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of the tree."""
        return tree_of_images(opened)


def tree_of_images(opened: Opened) -> UnlabelledSource:
    """Every image, however the files are arranged."""
    assert opened.files is not None
    return UnlabelledSource(FileImages(opened.files, image_names(opened.files.names), opened.limits))
