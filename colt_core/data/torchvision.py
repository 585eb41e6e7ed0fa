"""Data sets that torchvision knows by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from colt_core.data.errors import DataError
from colt_core.data.readers import labelled
from colt_core.data.sources import ArrayImages, ImageSource, LabelledSource
from colt_core.data.spec import TorchvisionName

_BY_SPLIT = frozenset({"SVHN", "STL10"})  # the others take train=True or False


def torchvision_labelled(name: TorchvisionName, folder: Path, *, download: bool = False) -> LabelledSource:
    """Training and test part of a data set of torchvision.

    Args:
        folder: where torchvision keeps its files.
        download: fetch them where they are missing.

    Raises:
        DataError: the files are missing and `download` is off; or the download failed.
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


def torchvision_unlabelled(name: TorchvisionName, folder: Path, *, download: bool = False) -> ImageSource:
    """Training images of a data set of torchvision as a pool (of STL10 its unlabelled part). Args, Raises: as above."""
    split = "unlabeled" if name == "STL10" else "train"
    return _images(name, ((split, _load(name, split, folder, download)),))


def _load(name: TorchvisionName, split: str, folder: Path, download: bool) -> Any:
    import torchvision  # here: it takes a second or two, and few registrations need it

    which = {"split": split} if name in _BY_SPLIT else {"train": split == "train"}
    try:
        return getattr(torchvision.datasets, name)(root=str(folder), download=download, **which)
    except Exception as error:
        if download:
            raise DataError(
                f"torchvision could not download {name}; is there a network? Upload the images instead"
            ) from error
        raise DataError(f"{name} is not on this server, or damaged there; set download to fetch it") from error


def _images(name: TorchvisionName, parts: tuple[tuple[str, Any], ...]) -> ArrayImages:
    arrays = [(f"{name} {split}", np.asarray(part.data)) for split, part in parts]
    return ArrayImages(arrays, channels_first=name in _BY_SPLIT)
