"""One epoch's batches over the ID images and the chosen OOD images, shuffled together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.batch import Batch
from colt_core.distributed import ALONE, Ranks
from colt_core.seeding import generator
from colt_core.training.schedule import Schedule, steps_per_epoch
from colt_core.training.state import TrainingState

Images = NDArray[np.uint8]  # (N, 3, H, W), C-contiguous, possibly a memory map
Indices = NDArray[np.int64]


def epoch_batches(
    images: Images, pool: Images | None, state: TrainingState, schedule: Schedule, ranks: Ranks
) -> Iterator[Batch]:
    """The remaining batches of the current epoch.

    Args:
        images: ID training images, (N, 3, H, W) uint8.
        pool: OOD images, (M, 3, H, W) uint8, or None.
        state: says which epoch it is, and how many of its steps are done.
    """
    epoch = state.epoch + 1
    return shuffled_batches(
        images,
        pool,
        state.selected,
        state.config.batch_size,
        seed=state.config.seed,
        epoch=epoch,
        steps=schedule.steps_in(epoch),
        first=state.step - schedule.steps_before(epoch),
        ranks=ranks,
    )


def shuffled_batches(
    images: Images,
    pool: Images | None,
    selected: Indices,
    batch_size: int,
    seed: int,
    epoch: int,
    steps: int,
    first: int = 0,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """Cut permutations of ID and selected images into an epoch's batches.

    One pass goes through all images. If one image is left for a last batch of its own, it is left
    out. An epoch of more steps continues with further passes, each in its own order, and may end
    within one. So no batch holds an image twice, but for training images that were selected again.

    Args:
        images: ID training images, (N, 3, H, W) uint8.
        pool: OOD images, (M, 3, H, W) uint8. None: `selected` are indices of training images.
        selected: (K,) picks of the last sampling round.
        batch_size: images of a batch, B.
        seed, epoch: the permutations are a function of these. Epochs count from 1.
        steps: batches of the epoch, `Schedule.steps_in(epoch)`.
        first: batches to skip, which a resumed run has already trained on.
        ranks: all ranks go through the same batches. Each reads only the images of its
            `ranks.shard(B)`.

    Yields:
        Batches of `batch_size`. The last one of a pass may be shorter.
    """
    num_train = len(images)
    in_a_pass = steps_per_epoch(num_train + len(selected), batch_size)
    for step in range(first, steps):
        number, batch_number = divmod(step, in_a_pass)
        if step == first or batch_number == 0:
            position = (epoch, number) if number else (epoch,)
            order = torch.randperm(num_train + len(selected), generator=generator(seed, "shuffle", *position)).numpy()
        index = order[batch_number * batch_size : (batch_number + 1) * batch_size]
        is_added = index >= num_train
        source = index.copy()
        source[is_added] = selected[index[is_added] - num_train]
        is_ood = is_added if pool is not None else np.zeros_like(is_added)
        own = ranks.shard(len(index))
        own_source, own_ood = source[own], is_ood[own]
        batch = np.empty((len(own_source), *images.shape[1:]), dtype=np.uint8)
        batch[~own_ood] = images[own_source[~own_ood]]
        if own_ood.any() and pool is not None:
            batch[own_ood] = pool[own_source[own_ood]]
        yield Batch(
            torch.from_numpy(batch),
            torch.from_numpy(is_ood),
            torch.from_numpy(source),
            first_pass=number == 0,
            is_repeat=torch.from_numpy(is_added) if pool is None and len(selected) else None,
        )
