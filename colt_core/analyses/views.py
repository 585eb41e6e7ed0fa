"""Computes embeddings of a few images out of many, or of their augmented views."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.events import Float32, Int64
from colt_core.frameworks.framework import Framework
from colt_core.seeding import generator
from colt_core.training.device import Compute
from colt_core.training.embed import embed, have_unit_norm

UInt8 = NDArray[np.uint8]

_BLOCK = 4096  # images copied from the memory map at a time
_BATCH = 256


def choose(count: int, wanted: int, seed: int, *position: int) -> Int64:
    """Draw `wanted` of 0..count-1, seeded and ascending. All if there are fewer."""
    drawn = torch.randperm(count, generator=generator(seed, "analysis images", *position))[:wanted]
    return np.sort(drawn.numpy())


def embed_images(framework: Framework, images: UInt8, index_N: Int64, precision: str) -> Float32:
    """(N, D) L2-normalised embeddings of `images[index_N]`, which must not be empty.

    Raises:
        ValueError: if they are not finite, or too large to be normalised.
    """
    blocks = [
        embed(framework, images[index_N[start : start + _BLOCK]], precision=precision)
        for start in range(0, len(index_N), _BLOCK)
    ]
    return _checked(np.concatenate(blocks))


@torch.no_grad()
def embed_views(
    framework: Framework,
    images: UInt8,
    index_N: Int64,
    num_views: int,
    config: PretrainConfig,
    seed: int,
    purpose: str = "analysis views",
) -> Float32:
    """(N, V, D) L2-normalised embeddings of V augmented views of each of `images[index_N]`.

    The network is in evaluation mode.

    The augmentation is that of the run, except for RandAugment (BCL), whose strength belongs to
    training.

    Args:
        purpose: names the random stream. Views that are compared with each other need different
            streams.

    Raises:
        ValueError: if they are not finite, or too large to be normalised.
    """
    compute = Compute.choose(next(framework.parameters()).device.type, config.precision)
    augment = BatchAugmenter.of(config)
    z_NVD = np.empty((len(index_N), num_views, config.projection_dim), dtype=np.float32)
    for start in range(0, len(index_N), _BATCH):
        rows = slice(start, start + _BATCH)
        pixels = compute.images(torch.from_numpy(np.array(images[index_N[rows]])))
        for view in range(num_views):
            views = augment(pixels, generator(seed, purpose, start, view), torch.zeros(len(pixels)))
            with compute.deterministic(), compute.autocast():
                z_NVD[rows, view] = framework.embed(views).cpu().numpy()
    return _checked(z_NVD)


def _checked(z: Float32) -> Float32:
    if not have_unit_norm(z):
        raise ValueError(
            "the embeddings are not finite, or too large, since training diverged: analyse an earlier checkpoint"
        )
    return z
