"""Two augmented views of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.augment import BatchAugmenter
from colt_core.batch import Batch
from colt_core.distributed import Ranks
from colt_core.frameworks.framework import Framework
from colt_core.training.device import Compute


def batch_views(
    batch: Batch,
    framework: Framework,
    augment: BatchAugmenter,
    generator: torch.Generator,
    compute: Compute,
    ranks: Ranks,
) -> Tensor:
    """(2b, 3, S, S) float32: stacked views of this rank's images, standardised, on the device.

    Augmentations are drawn for the whole batch, so an image has the same views on every rank.
    """
    strength_B = framework.augmentation_strength(batch.index, batch.is_ood)
    strength_2B = None if strength_B is None else strength_B.repeat(2)
    batch_size, (height, width) = len(batch.index), batch.images.shape[2:]
    drawn = augment.draw(2 * batch_size, height, width, generator, strength_2B, views=2)
    own_2b = torch.arange(2 * batch_size).view(2, batch_size)[:, ranks.shard(batch_size)].flatten()
    return augment.apply(compute.images(batch.images).repeat(2, 1, 1, 1), drawn[own_2b])
