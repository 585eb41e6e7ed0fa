"""The layout `tiny-imagenet`: as cs231n's tiny-imagenet-200.zip is arranged."""

from __future__ import annotations

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import labelled, sorted_classes
from colt_core.data.layouts.folders import tree_of_images
from colt_core.data.layouts.layout import Opened
from colt_core.data.layouts.part_names import part_of
from colt_core.data.names import image_names, is_image
from colt_core.data.sources import FileImages, LabelledSource, UnlabelledSource
from colt_core.data.text import lines_of
from colt_core.data.warnings import DataWarning

_ANNOTATIONS = "val_annotations.txt"


class TinyImageNet:
    """See :class:`colt_core.data.layouts.kinds.TinyImageNetLayout`."""

    def recognises(self, opened: Opened) -> bool:
        """Whether there is the list of the val images' classes."""
        return _annotations(opened) is not None and any(map(is_image, opened.names))

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """The labelled val images are the test part, since the test images have no labels."""
        annotations = _annotations(opened)
        assert opened.files is not None and annotations is not None
        around = annotations.removesuffix(_ANNOTATIONS).rstrip("/").rpartition("/")[0]
        around = f"{around}/" if around else ""
        train: list[tuple[str, str]] = []  # image, class
        val: dict[str, str] = {}  # image by its own name
        unlabelled: list[str] = []
        for name in image_names(opened.files.names):
            folders = name.removeprefix(around).split("/")[:-1] if name.startswith(around) else []
            part = part_of(folders[0]) if folders else None
            if part == "train" and len(folders) > 1:
                train.append((name, folders[1]))
            elif part == "val":
                if (other := val.setdefault(name.rpartition("/")[2], name)) != name:
                    raise DataError(
                        f"{other!r} and {name!r} have one name, so {annotations!r} does not tell them apart"
                    )
            elif part == "test":
                unlabelled.append(name)
            else:
                raise DataError(
                    f"{name!r} does not fit: Tiny ImageNet has train/CLASS/images/IMAGE, val/images/IMAGE and "
                    "test/images/IMAGE; move it"
                )
        test = _annotated(opened, annotations, val)
        class_names = sorted_classes(name for _, name in (*train, *test))
        index_of = {name: c for c, name in enumerate(class_names)}
        images = [name for name, _ in (*train, *test)]
        parts = {"train": np.arange(len(train)), "test": np.arange(len(train), len(images))}
        return labelled(
            FileImages(opened.files, images, opened.limits),
            np.array([index_of[name] for _, name in (*train, *test)], dtype=np.int64),
            class_names,
            {name: positions for name, positions in parts.items() if len(positions)},
            _warnings(len(test), unlabelled),
        )

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Every image of the tree."""
        return tree_of_images(opened)


def _annotations(opened: Opened) -> str | None:
    return next((name for name in opened.others if name.rpartition("/")[2].lower() == _ANNOTATIONS), None)


def _annotated(opened: Opened, annotations: str, images: dict[str, str]) -> list[tuple[str, str]]:
    """(image, class) of each line of the list."""
    found: dict[str, str] = {}
    for number, line in lines_of(opened.content(annotations), annotations):
        words = line.split("\t") if "\t" in line else line.split()
        if len(words) < 2 or not words[1].strip():
            raise DataError(f"line {number} of {annotations!r} is not an image and its class: {line[:200]!r}")
        image = images.get(words[0].strip())
        if image is None:
            raise DataError(f"line {number} of {annotations!r} names {words[0][:200]!r}, which is not among the images")
        if found.setdefault(image, words[1].strip()) != words[1].strip():
            raise DataError(f"line {number} of {annotations!r} gives {words[0][:200]!r} a second class; keep one")
    if left := next((image for image in images.values() if image not in found), None):
        raise DataError(f"{annotations!r} has no line for {left!r}; add its class, or remove the image")
    return list(found.items())


def _warnings(num_test: int, unlabelled: list[str]) -> list[DataWarning]:
    warnings = []
    if num_test:
        detail = "The labelled images of val/ are the test part, as published results on Tiny ImageNet use them."
        warnings.append(DataWarning("val_is_test", detail, num_test))
    if unlabelled:
        detail = "The images of test/ have no labels and were left out."
        warnings.append(DataWarning("images_without_labels", detail, len(unlabelled), tuple(unlabelled)))
    return warnings
