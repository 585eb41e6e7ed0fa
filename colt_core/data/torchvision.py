"""Data sets of torchvision, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.labelled import labelled
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.spec import TorchvisionName

_BY_SPLIT = frozenset({"SVHN", "STL10"})  # the others take train=True or False


def torchvision_labelled(name: TorchvisionName, folder: Path, *, download: bool = False) -> LabelledSource:
    """The training and the test part of a torchvision data set.

    Args:
        folder: the folder of torchvision's files.
        download: download missing files.

    Raises:
        DataError: if files are missing and `download` is off, or the download failed.
    """
    train, test = (_load(name, split, folder, download) for split in ("train", "test"))
    labels = [np.asarray(part.labels if name in _BY_SPLIT else part.targets, dtype=np.int64) for part in (train, test)]
    num_train, num_test = map(len, labels)
    class_names = getattr(train, "classes", None) or [str(c) for c in range(10)]
    return labelled(
        _images(name, (("train", train), ("test", test))),
        np.concatenate(labels),
        class_names,
        {"train": np.arange(num_train), "test": np.arange(num_train, num_train + num_test)},
    )


def torchvision_unlabelled(name: TorchvisionName, folder: Path, *, download: bool = False) -> UnlabelledSource:
    """A torchvision data set's training images as a pool; for STL10, its unlabelled part.

    Args and Raises: as for :func:`torchvision_labelled`.
    """
    split = "unlabeled" if name == "STL10" else "train"
    return UnlabelledSource(_images(name, ((split, _load(name, split, folder, download)),)))


def _load(name: TorchvisionName, split: str, folder: Path, download: bool) -> Any:
    import torchvision  # imported here: it takes a second or two, and few registrations need it

    which = {"split": split} if name in _BY_SPLIT else {"train": split == "train"}
    try:
        return getattr(torchvision.datasets, name)(root=str(folder), download=download, **which)
    except Exception as error:
        if download:
            raise DataError(
                f"torchvision could not download {name}. Check the network, or upload the images instead"
            ) from error
        raise DataError(f"{name} is not on this server, or damaged; set download to fetch it") from error


def _images(name: TorchvisionName, parts: tuple[tuple[str, Any], ...]) -> ArrayImages:
    arrays = [(f"{name} {split}", np.asarray(part.data)) for split, part in parts]
    return ArrayImages(arrays, channels_first=name in _BY_SPLIT)
