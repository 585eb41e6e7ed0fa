"""Computes embeddings or features of images, in evaluation mode.

Images get the test transform: no augmentation. There is no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colt_core.augment import normalize
from colt_core.distributed import ALONE, Ranks, gather_rows
from colt_core.embeddings import as_float32, blocks
from colt_core.events import Int64
from colt_core.models import Backbone, Encoder
from colt_core.training.device import Compute

Float32 = NDArray[np.float32]
Images = NDArray[np.uint8] | Tensor
EachBlock = Callable[[], None]
BATCH_SIZE = 512  # the fastest of 64 to 4096, for cpu-small's encoder and ResNet-18, in bf16 and fp32


def nothing() -> None:
    """The default of `each_block`."""


def embed(
    encoder: Encoder,
    images: Images,
    *,
    batch_size: int = BATCH_SIZE,
    precision: str = "auto",
    ranks: Ranks = ALONE,
    each_block: EachBlock = nothing,
) -> Float32:
    """L2-normalised embeddings, such as those of a framework for tailness and sampling rounds.

    Args:
        encoder: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.
        ranks: each rank embeds its share of the images. All ranks get the result.
        each_block: called before each block, on all ranks. It may raise to stop.

    Returns:
        (N, D) float32.
    """
    outputs = output_blocks(encoder, encoder.embed, images, batch_size, precision, ranks, each_block=each_block)
    return _stack_blocks(outputs, len(images))


def have_unit_norm(z: NDArray[np.floating]) -> bool:
    """Whether all embeddings (N, ..., D) have length 1, which excludes NaN and overflow.

    Half-precision embeddings, which may be a memory map, are converted block by block.
    """
    for rows in blocks(z):
        chunk = as_float32(z[rows])
        squares = np.einsum("...d,...d->...", chunk, chunk)
        if not (np.abs(squares - 1) < 0.02).all():
            return False
    return True


def extract_features(
    backbone: Backbone,
    images: Images,
    *,
    batch_size: int = BATCH_SIZE,
    precision: str = "auto",
    ranks: Ranks = ALONE,
    each_block: EachBlock = nothing,
) -> Float32:
    """Average-pooled backbone features, not normalised. Probes are trained on them.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.
        ranks: as in `embed`.
        each_block: as in `embed`.

    Returns:
        (N, backbone.num_features) float32.
    """
    outputs = output_blocks(backbone, backbone, images, batch_size, precision, ranks, each_block=each_block)
    return _stack_blocks(outputs, len(images))


def output_blocks(
    module: nn.Module,
    function: Callable[[Tensor], Tensor],
    images: Images,
    batch_size: int,
    precision: str,
    ranks: Ranks,
    index_M: Int64 | None = None,
    each_block: EachBlock = nothing,
) -> Iterator[tuple[slice, Float32]]:
    """Outputs of `function` for all images, in evaluation mode, block by block.

    Args:
        module: gives the device. Its training mode is restored afterwards.
        index_M: which images, in this order. None: all.
        each_block: as in `embed`.
        batch_size: images of each rank in a block. All ranks get the whole block.

    Yields:
        The block's row numbers, and its outputs (rows, D) float32 on the host.

    Raises:
        ValueError: if there are no images.
    """
    count = len(images) if index_M is None else len(index_M)
    if count == 0:
        raise ValueError("there are no images to embed")
    compute = Compute.choose(next(module.parameters()).device.type, precision)
    was_training = module.training
    module.eval()
    try:
        for start in range(0, count, batch_size * ranks.size):
            each_block()
            block = slice(start, min(start + batch_size * ranks.size, count))
            size = block.stop - start
            # A rank without rows passes an empty batch, to learn the width of the outputs it
            # gathers.
            own = ranks.shard(size)
            rows = slice(start + own.start, start + own.stop)
            batch = images[rows if index_M is None else index_M[rows]]
            # A copy, since torch has no read-only tensors to wrap a memory map.
            pixels = batch if isinstance(batch, Tensor) else torch.from_numpy(np.array(batch))
            with torch.inference_mode(), compute.deterministic(), compute.autocast():
                outputs = function(normalize(compute.images(pixels))).float().cpu()
            yield block, gather_rows(outputs, size, ranks).numpy()
    finally:
        module.train(was_training)


def _stack_blocks(blocks: Iterator[tuple[slice, Float32]], count: int) -> Float32:
    result = np.empty((0, 0), dtype=np.float32)
    for rows, outputs in blocks:
        if rows.start == 0:
            result = np.empty((count, outputs.shape[1]), dtype=np.float32)
        result[rows] = outputs
    return result
