"""Checks the images that `pretrain` is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from colt_core.config import PretrainConfig
from colt_core.snapshot import DataSizes
from colt_core.training.embed import Images

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RunData:
    """The images of a run, as arrays."""

    images: UInt8  # (N, 3, S, S) ID images
    pool: UInt8 | None  # (M, 3, S, S) OOD images; None if the sampler picks none
    sizes: DataSizes


def checked_data(config: PretrainConfig, images: Images, pool: Images | None) -> RunData:
    """Check the images and the pool of a run.

    Raises:
        ValueError: for images of another type or shape, or if `config` cannot run on them. The
            message then names every problem.
    """
    train_images = _checked("images", images)
    pool_images = None if pool is None or not config.sampler.uses_pool else _checked("pool", pool)
    if pool_images is not None and pool_images.shape[1:] != train_images.shape[1:]:
        raise ValueError(
            f"the pool's images are {_side(pool_images)} px, the training images {_side(train_images)} px: "
            "both must have the same size"
        )
    num_pool = None if pool_images is None else len(pool_images)
    problems = config.data_problems(len(train_images), num_pool)
    if problems:
        raise ValueError("; ".join(f"{name}: {problem}" for name, problem in problems))
    sizes = DataSizes(num_train=len(train_images), num_pool=num_pool, image_size=_side(train_images))
    return RunData(train_images, pool_images, sizes)


def _checked(name: str, images: Images) -> UInt8:
    array: UInt8 = images.cpu().numpy() if isinstance(images, Tensor) else images
    if array.dtype != np.uint8:
        raise ValueError(f"{name} must be uint8 (0..255), not {array.dtype}")
    if array.ndim != 4 or array.shape[1] != 3 or array.shape[2] != array.shape[3]:
        raise ValueError(f"{name} must be (N, 3, S, S), not {array.shape}")
    return array


def _side(images: UInt8) -> int:
    return int(images.shape[2])
