"""One epoch's batches over the ID images and the chosen OOD images, shuffled together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colt_core.seeding import generator

Images = NDArray[np.uint8]  # (N, 3, H, W), C-contiguous, possibly a memory map
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one step, ID and OOD mixed."""

    images: Tensor  # (B, 3, H, W) uint8
    is_ood: Tensor  # (B,) bool
    index: Tensor  # (B,) int64: position in the training part, or in the pool where is_ood


def epoch_batches(
    images: Images,
    pool: Images | None,
    selected: Indices,
    batch_size: int,
    seed: int,
    epoch: int,
    first: int = 0,
) -> Iterator[Batch]:
    """Cut the epoch's permutation of ID + selected OOD images into batches.

    Args:
        images: ID training images, (N, 3, H, W) uint8.
        pool: OOD images, (M, 3, H, W) uint8; None when `selected` is empty.
        selected: (K,) pool indices of the last sampling round.
        batch_size: images of a batch, B.
        seed, epoch: what the permutation is a function of; epochs count from 1.
        first: batches to skip, those a resumed run has already trained on.

    Yields:
        Batches of `batch_size`; the last one may be shorter, and is left out when it is a single image.
    """
    num_train = len(images)
    order = torch.randperm(num_train + len(selected), generator=generator(seed, "shuffle", epoch)).numpy()
    for start in range(first * batch_size, len(order) - 1, batch_size):
        index = order[start : start + batch_size]
        is_ood = index >= num_train
        source = index.copy()
        batch = np.empty((len(index), *images.shape[1:]), dtype=np.uint8)
        batch[~is_ood] = images[index[~is_ood]]
        if is_ood.any() and pool is not None:
            source[is_ood] = selected[index[is_ood] - num_train]
            batch[is_ood] = pool[source[is_ood]]
        yield Batch(torch.from_numpy(batch), torch.from_numpy(is_ood), torch.from_numpy(source))
