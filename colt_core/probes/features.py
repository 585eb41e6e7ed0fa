"""Computes features for images of a data set that may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from colt_core.models import Backbone
from colt_core.training.embed import extract_features

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

_BLOCK = 4096  # images copied from the memory map at a time


def features_of(backbone: Backbone, images: NDArray[np.uint8], indices: Int64, *, precision: str = "auto") -> Float32:
    """(len(indices), d) float32 backbone features of `images[indices]`, which must not be empty.

    Raises:
        ValueError: if they are not finite.
    """
    blocks = [
        extract_features(backbone, images[indices[start : start + _BLOCK]], precision=precision)
        for start in range(0, len(indices), _BLOCK)
    ]
    features = np.concatenate(blocks)
    if not np.isfinite(features).all():
        raise ValueError(
            "the backbone's features are not finite, since its training diverged: evaluate an earlier checkpoint, or "
            "train with a lower learning_rate"
        )
    return features


def cached_features(
    backbone: Backbone, images: NDArray[np.uint8], used: Sequence[Int64], *, precision: str = "auto"
) -> Callable[[Int64], Float32]:
    """Compute the features of all images in the index arrays `used`, each once.

    Returns:
        A function from indices into `images` to (len(indices), d) features.
    """
    indices = np.unique(np.concatenate(used))
    features = features_of(backbone, images, indices, precision=precision)
    return lambda wanted: features[np.searchsorted(indices, wanted)]
