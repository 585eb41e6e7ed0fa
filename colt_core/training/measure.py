"""Measures of a pool for MAK (Jiang et al., NeurIPS 2021).

They are backbone features and each image's contrastive loss.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.distributed import ALONE, Ranks, sum_over
from colt_core.events import Float32, Int64
from colt_core.frameworks.framework import Framework
from colt_core.models import Backbone
from colt_core.samplers.kinds import MakSettings
from colt_core.samplers.protocol import PoolMeasures
from colt_core.seeding import generator
from colt_core.training.device import Compute
from colt_core.training.embed import EachBlock, Images, extract_features, nothing

_PARTITIONS = 10


def measure_pool(
    framework: Framework,
    images: Images,
    pool: Images,
    augment: BatchAugmenter,
    config: PretrainConfig,
    ranks: Ranks = ALONE,
    each_block: EachBlock = nothing,
) -> PoolMeasures:
    """Measure what a `MakSampler` chooses by, in evaluation mode.

    The result is a function of (model, images, config). It takes one forward pass over images and
    pool, and `mak_passes` augmented ones over the pool. Besides the results, memory holds one
    batch's views at a time, and the embeddings of ten batches.

    A loss depends on the images that share the batch. So the views of ten batches are dealt into
    batches ten times over, which takes no further forward pass. With one partition (released code)
    the seed alone moves a loss by 0.16 of the spread over the pool, with ten by 0.07. That was
    measured on a trained toy network, with 1,500 images in batches of 32.

    Args:
        framework: on any device; its training mode is restored afterwards.
        images: the ID training images, (N, 3, H, W) uint8, array, memory map or tensor.
        pool: the OOD images, (M, 3, H, W) uint8.
        augment: the augmentation of the training.
        config: mak_passes, batch_size, temperature, seed and precision are read. A sampler without
            mak_passes gets its default.
        ranks: each rank takes some of the batches. All ranks get the result.
        each_block: as in `embed`. With one rank it is also called before each batch.

    Raises:
        ValueError: if there are no images, or an empty pool.
    """
    id_features, ood_features = (
        _unit_features(framework.backbone, part, config.precision, ranks, each_block) for part in (images, pool)
    )
    loss_M = np.zeros(len(pool), dtype=np.float32)
    was_training = framework.training
    framework.eval()
    try:
        batches = list(enumerate(pool_batches(len(pool), config.batch_size, config.seed)))
        blocks = np.array_split(np.arange(len(batches)), -(-len(batches) // _PARTITIONS))
        for number, block in list(enumerate(blocks))[ranks.rank :: ranks.size]:
            z = []
            for batch_number, index_B in (batches[n] for n in block):
                if ranks.size == 1:  # with several ranks, one may have less, but all must stop at the same place
                    each_block()
                z.append(embed_passes(framework, pool, index_B, batch_number, augment, config))
            loss_n = repartitioned_loss(torch.cat(z, dim=1), len(block), config, number)
            loss_M[np.concatenate([batches[n][1] for n in block])] = loss_n.cpu().numpy()
    finally:
        framework.train(was_training)
    sum_over(ranks, torch.from_numpy(loss_M))
    return PoolMeasures(id_features, ood_features, loss_M)


def pool_batches(num_pool: int, batch_size: int, seed: int) -> list[Int64]:
    """Random batches of at most `batch_size` pool indices. Their sizes differ by at most one.

    A loss grows with its number of negatives, so a short last batch would rank its images below all
    others.
    """
    # A batch of a single image would have no negatives.
    count = max(1, min(-(-num_pool // batch_size), num_pool // 2))
    order = torch.randperm(num_pool, generator=generator(seed, "mak batches")).numpy()
    return [np.sort(part) for part in np.array_split(order, count)]


@torch.no_grad()
def embed_passes(
    framework: Framework, pool: Images, index_B: Int64, number: int, augment: BatchAugmenter, config: PretrainConfig
) -> Tensor:
    """(R, B, D) embeddings of R views of the pool images `index_B`, the `number`-th batch.

    They are a function of the arguments only.
    """
    compute = Compute.choose(next(framework.parameters()).device.type, config.precision)
    batch = pool[index_B]
    pixels = compute.images(batch if isinstance(batch, Tensor) else torch.from_numpy(np.array(batch)))
    index, is_ood = torch.from_numpy(index_B), torch.ones(len(index_B), dtype=torch.bool)
    strength_B = framework.augmentation_strength(index, is_ood)
    settings = config.sampler if isinstance(config.sampler, MakSettings) else MakSettings()
    z = []
    for n in range(settings.mak_passes):
        with compute.deterministic(), compute.autocast():
            z.append(framework.embed(augment(pixels, generator(config.seed, "mak views", number, n), strength_B)))
    return torch.stack(z)


def repartitioned_loss(z_RnD: Tensor, num_batches: int, config: PretrainConfig, block: int) -> Tensor:
    """(n,) losses of images in batches, averaged over ten random partitions into batches.

    Args:
        z_RnD: L2-normalised embeddings of R views of the images of `num_batches` batches.
        config: temperature and seed are read.
        block: number of this set of batches, for the draws.
    """
    count = z_RnD.shape[1]
    total_n = z_RnD.new_zeros(count)
    partitions = _PARTITIONS if num_batches > 1 else 1  # a single batch is the same each time
    for partition in range(partitions):
        order = torch.randperm(count, generator=generator(config.seed, "mak partitions", block, partition))
        for part in order.to(z_RnD.device).tensor_split(num_batches):
            total_n[part] += pairwise_loss(z_RnD[:, part], config.temperature)
    return total_n / partitions


def pairwise_loss(z_RBD: Tensor, temperature: float) -> Tensor:
    """Each sample's contrastive loss, averaged over all pairs of R >= 2 views of a batch.

    In the pair (r, q), the norm of an anchor (i, r) has two sums. The first is over a != i of
    exp(z_ir . z_ar / tau), the second over all a of exp(z_ir . z_aq / tau). A view has R such sums,
    one for each pass, so every product is formed once instead of once a pair.

    Args:
        z_RBD: L2-normalised embeddings of R views.
        temperature: tau.

    Returns:
        (B,) float32.
    """
    passes, batch_size, dim = z_RBD.shape
    every_view = z_RBD.reshape(passes * batch_size, dim)
    total_B = z_RBD.new_zeros(batch_size)
    for r, z_BD in enumerate(z_RBD):
        s_BRB = ((z_BD / temperature) @ every_view.T).view(batch_size, passes, batch_size)
        positive_BR = s_BRB.diagonal(dim1=0, dim2=2).T.clone()
        s_BRB[:, r].fill_diagonal_(-torch.inf)  # an anchor is not its own negative
        log_sum_BR = s_BRB.logsumexp(dim=2)
        loss_BR = torch.logaddexp(log_sum_BR[:, r : r + 1], log_sum_BR) - positive_BR
        total_B += loss_BR[:, torch.arange(passes, device=z_RBD.device) != r].sum(dim=1)
    return total_B / (passes * (passes - 1))


def _unit_features(backbone: Backbone, images: Images, precision: str, ranks: Ranks, each_block: EachBlock) -> Float32:
    features = torch.from_numpy(
        extract_features(backbone, images, precision=precision, ranks=ranks, each_block=each_block)
    )
    normalised: Float32 = torch.nn.functional.normalize(features, dim=1).numpy()
    return normalised
