"""Computes embeddings of a few images out of many, or of their augmented views."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.events import Float32, Int64
from colt_core.models import Encoder
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


def embed_images(encoder: Encoder, images: UInt8, index_N: Int64, precision: str) -> Float32:
    """(N, D) L2-normalised embeddings of `images[index_N]`, which must not be empty.

    Raises:
        ValueError: if they are not finite, or too large to be normalised.
    """
    blocks = [
        embed(encoder, images[index_N[start : start + _BLOCK]], precision=precision)
        for start in range(0, len(index_N), _BLOCK)
    ]
    return _checked(np.concatenate(blocks))


@torch.no_grad()
def embed_views(
    encoder: Encoder,
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
        config: gives augmentation and precision.
        purpose: names the random stream. Views that are compared with each other need different
            streams.

    Raises:
        ValueError: if they are not finite, or too large to be normalised.
    """
    compute = Compute.choose(next(encoder.parameters()).device.type, config.precision)
    augment = BatchAugmenter.of(config)
    z_NVD = np.empty((len(index_N), num_views, 0), dtype=np.float32)
    for start in range(0, len(index_N), _BATCH):
        rows = slice(start, start + _BATCH)
        pixels = compute.images(torch.from_numpy(np.array(images[index_N[rows]])))
        for view in range(num_views):
            views = augment(pixels, generator(seed, purpose, start, view), torch.zeros(len(pixels)))
            with compute.deterministic(), compute.autocast():
                z_BD = encoder.embed(views).cpu().numpy()
            if start == view == 0:
                z_NVD = np.empty((*z_NVD.shape[:2], z_BD.shape[1]), dtype=np.float32)
            z_NVD[rows, view] = z_BD
    return _checked(z_NVD)


def _checked(z: Float32) -> Float32:
    if not have_unit_norm(z):
        raise ValueError(
            "the embeddings are zero, not finite, or too large, as after a training that diverged: "
            "analyse another checkpoint or backbone"
        )
    return z
