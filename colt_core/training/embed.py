"""Images -> embeddings or features in evaluation mode: test transform, no augmentation, no gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colt_core.augment import normalize
from colt_core.distributed import ALONE, Ranks, gather_rows
from colt_core.frameworks import Framework
from colt_core.models import Backbone
from colt_core.training.device import Compute

Float32 = NDArray[np.float32]
Images = NDArray[np.uint8] | Tensor


def embed(
    framework: Framework, images: Images, *, batch_size: int = 512, precision: str = "auto", ranks: Ranks = ALONE
) -> Float32:
    """Projection-head outputs, L2-normalised: the space of tailness and of sampling rounds.

    Args:
        framework: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.
        ranks: each embeds its share of the images, and all have the result.

    Returns:
        (N, projection_dim) float32.
    """
    return _in_batches(framework, framework.embed, images, batch_size, precision, ranks)


def are_directions(z: Float32) -> bool:
    """Whether embeddings (..., D) all have length 1: no NaN, and nothing whose length was more than a float holds."""
    squares = np.einsum("...d,...d->...", z, z)
    return bool((np.abs(squares - 1) < 0.02).all())


def extract_features(
    backbone: Backbone, images: Images, *, batch_size: int = 512, precision: str = "auto", ranks: Ranks = ALONE
) -> Float32:
    """Average-pooled backbone features, not normalised: what probes are trained on.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.
        ranks: as in `embed`.

    Returns:
        (N, backbone.num_features) float32.
    """
    return _in_batches(backbone, backbone, images, batch_size, precision, ranks)


@torch.no_grad()
def _in_batches(
    module: nn.Module,
    function: Callable[[Tensor], Tensor],
    images: Images,
    batch_size: int,
    precision: str,
    ranks: Ranks,
) -> Float32:
    if len(images) == 0:
        raise ValueError("there are no images to embed")
    own = ranks.shard(len(images))
    compute = Compute.choose(next(module.parameters()).device.type, precision)
    was_training = module.training
    module.eval()
    try:
        outputs = []
        # A rank without a share passes an empty batch, which tells it the width of what it gathers.
        for start in range(own.start, max(own.stop, own.start + 1), batch_size):
            batch = images[start : min(start + batch_size, own.stop)]
            # A copy, as a memory map cannot be wrapped: torch has no read-only tensors.
            pixels = batch if isinstance(batch, Tensor) else torch.from_numpy(np.array(batch))
            with compute.deterministic(), compute.autocast():
                outputs.append(function(normalize(compute.images(pixels))).float().cpu())
    finally:
        module.train(was_training)
    result: Float32 = gather_rows(torch.cat(outputs), len(images), ranks).numpy()
    return result
