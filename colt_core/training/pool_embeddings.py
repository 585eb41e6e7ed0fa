"""A round's embeddings of the pool: in memory or, if too large, float16 in a temporary file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from colt_core.distributed import Ranks
from colt_core.events import Int64
from colt_core.training.embed import BATCH_SIZE, EachBlock, Images, nothing, output_blocks

LARGEST_IN_MEMORY = 2**30  # bytes: 2 M images of 128 dimensions


def embed_pool(
    module: nn.Module,
    function: Callable[[Tensor], Tensor],
    pool: Images,
    index_M: Int64 | None,
    dim: int,
    precision: str,
    ranks: Ranks,
    each_block: EachBlock = nothing,
) -> NDArray[np.floating]:
    """Embed pool images for a sampling round.

    All ranks compute, but only rank 0 gets the embeddings.

    Args:
        module: gives the device. Its training mode is restored afterwards.
        function: makes L2-normalised embeddings of images, such as `Framework.embed`.
        pool: OOD images, (.., 3, H, W) uint8.
        index_M: which of the pool's images, in this order. None: all.
        dim: D, dimensions of an embedding.
        each_block: as in `embed`.

    Returns:
        (M, D), L2-normalised float32. Above LARGEST_IN_MEMORY it is a float16 memory map. On ranks
        other than 0: (0, D).

    Raises:
        OSError: if the temporary folder has too little space.
    """
    count = (len(pool) if index_M is None else len(index_M)) if ranks.rank == 0 else 0
    z_MD = _allocate(count, dim)
    embedded = output_blocks(module, function, pool, BATCH_SIZE, precision, ranks, index_M, each_block)
    for rows, z_BD in embedded:
        if ranks.rank == 0:
            z_MD[rows] = z_BD
    return z_MD


def _allocate(rows: int, dim: int) -> NDArray[np.floating]:
    if 4 * rows * dim <= LARGEST_IN_MEMORY:
        return np.empty((rows, dim), dtype=np.float32)
    # The file has no name, so its space is freed with the last reference to the map, however the
    # process ends.
    with TemporaryFile(prefix="colt-embeddings-") as file:
        if sys.platform == "linux":  # a full disk is an error here, but a SIGBUS in a write to the map
            os.posix_fallocate(file.fileno(), 0, 2 * rows * dim)
        return np.memmap(file, dtype=np.float16, mode="w+", shape=(rows, dim))
