"""Images -> embeddings or features in evaluation mode: test transform, no augmentation, no gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from colt_core.augment import normalize
from colt_core.frameworks import Framework
from colt_core.models import Backbone
from colt_core.training.device import Compute

Float32 = NDArray[np.float32]
Images = NDArray[np.uint8] | Tensor


def embed(framework: Framework, images: Images, *, batch_size: int = 512, precision: str = "auto") -> Float32:
    """Projection-head outputs, L2-normalised: the space of tailness and of sampling rounds.

    Args:
        framework: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.

    Returns:
        (N, projection_dim) float32.
    """
    return _in_batches(framework, framework.embed, images, batch_size, precision)


def extract_features(backbone: Backbone, images: Images, *, batch_size: int = 512, precision: str = "auto") -> Float32:
    """Average-pooled backbone features, not normalised: what probes are trained on.

    Args:
        backbone: on any device; its training mode is restored afterwards.
        images: (N, 3, H, W) uint8.

    Returns:
        (N, backbone.num_features) float32.
    """
    return _in_batches(backbone, backbone, images, batch_size, precision)


@torch.no_grad()
def _in_batches(
    module: nn.Module, function: Callable[[Tensor], Tensor], images: Images, batch_size: int, precision: str
) -> Float32:
    compute = Compute.choose(next(module.parameters()).device.type, precision)
    was_training = module.training
    module.eval()
    try:
        outputs = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            # A copy, as a memory map cannot be wrapped: torch has no read-only tensors.
            pixels = batch if isinstance(batch, Tensor) else torch.from_numpy(np.array(batch))
            with compute.deterministic(), compute.autocast():
                outputs.append(function(normalize(compute.images(pixels))).float().cpu())
    finally:
        module.train(was_training)
    if not outputs:
        raise ValueError("there are no images to embed")
    result: Float32 = torch.cat(outputs).numpy()
    return result
