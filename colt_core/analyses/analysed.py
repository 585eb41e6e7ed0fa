"""What analyses look at: an encoder and the images that it is judged on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from colt_core.analyses.views import UInt8, choose
from colt_core.config import PretrainConfig
from colt_core.data import ClassGroups, ImageDataset, ImagePool, class_groups
from colt_core.data.dataset import DatasetLabels, training_part
from colt_core.events import Float32, Int64
from colt_core.models import Encoder


@dataclass(frozen=True)
class Analysed(ABC):
    """An encoder and its images. `AnalysedRun` and `AnalysedBackbone` are the two there are.

    Images and network are loaded only when an analysis uses them.

    Attributes:
        config: the settings of the run. Of a backbone, those in place of them.
        data: the data set; a pool if it has no labels.
    """

    config: PretrainConfig
    data: ImageDataset | DatasetLabels | ImagePool

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The network on its device, in eval mode."""

    @property
    def tailness(self) -> Float32 | None:
        """Tailness of each training image; None without a run that scored them."""
        return None

    def picked(self, wanted: int, seed: int) -> tuple[UInt8, Int64]:
        """A pool's images, and up to `wanted` randomly drawn indices of a last round's picks.

        Without a run, or before its first round, there are no picks.
        """
        return self.images[:0], np.empty(0, dtype=np.int64)

    @property
    def dataset(self) -> ImageDataset:
        """The data set with its images and labels.

        Raises:
            ValueError: if either is missing.
        """
        if not isinstance(self.data, ImageDataset):
            raise ValueError("the analysis needs the images of the data set, and their labels")
        return self.data

    @property
    def labelled(self) -> ImageDataset | DatasetLabels:
        """The data set, perhaps without its images.

        Raises:
            ValueError: if it has no labels.
        """
        if isinstance(self.data, ImagePool):
            raise ValueError("the analysis needs labels, and the images have none")
        return self.data

    @cached_property
    def images(self) -> UInt8:
        """The ID training images."""
        return training_part(self.data if isinstance(self.data, ImagePool) else self.dataset)[0]

    @property
    def has_labels(self) -> bool:
        """Whether the data set has labels. Only analyses that are `without_labels` need to ask."""
        return not isinstance(self.data, ImagePool)

    @cached_property
    def labels(self) -> Int64:
        """The classes of the ID training images."""
        return self.labelled.labels[self.labelled.parts["train"]]

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return self.labelled.num_classes

    @cached_property
    def groups(self) -> ClassGroups:
        """Many, Medium and Few by `config.group_thresholds`."""
        return class_groups(self.labelled.class_counts, self.config.group_thresholds)

    def of_classes(self, classes: tuple[int, ...], per_class: int, seed: int) -> Int64:
        """Up to `per_class` randomly drawn training images of each class."""
        drawn = [np.empty(0, dtype=np.int64)]
        for c in classes:
            members = np.flatnonzero(self.labels == c)
            drawn.append(members[choose(len(members), per_class, seed, c)])
        return np.concatenate(drawn)
