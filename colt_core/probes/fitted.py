"""What a probe was fitted on, which every evaluation says beside its accuracies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colt_core.data.dataset import Labelled

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ProbeFit:
    """What a probe was fitted on.

    Attributes:
        images: how many images.
        images_per_class: C numbers of images.
        shots: how many images of each class were asked for; a class with fewer gave all. None:
            every image was taken.
    """

    images: int
    images_per_class: tuple[int, ...]
    shots: int | None

    @classmethod
    def of(cls, dataset: Labelled, fitted: Int64, shots: int | None) -> ProbeFit:
        """The description of a fit on the images `fitted` of a data set."""
        counts = np.bincount(dataset.labels[fitted], minlength=dataset.num_classes)
        return cls(len(fitted), tuple(counts.tolist()), shots)


def balanced_weights(labels: Int64) -> NDArray[np.float64]:
    """(N,) weights of images, under which all classes that are present weigh the same.

    They average 1, and are exactly 1 where classes have equally many images. This is "balanced" of
    scikit-learn: N / (classes * images of the class).
    """
    _, class_N, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(counts) * counts))[class_N]
