"""Checks of the losses' inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from colt_core.transfer import to_device


def checked_embeddings(z_2BD: Tensor, temperature: float) -> Tensor:
    """The embeddings in float32 or float64.

    In bf16, similarities divided by a small tau are too coarse.

    Raises:
        ValueError: if the rows are not two stacked views, or the temperature is not positive.
    """
    if z_2BD.ndim != 2 or z_2BD.shape[0] < 2 or z_2BD.shape[0] % 2:
        raise ValueError(f"embeddings must be (2B, D), two stacked views of B >= 1 samples, not {tuple(z_2BD.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    return z_2BD if z_2BD.dtype == torch.float64 else z_2BD.float()


def checked_ood_mask(is_ood_B: Tensor, z_2BD: Tensor) -> Tensor:
    """The (2B,) mask of both views from the (B,) mask of samples, on the embeddings' device.

    Raises:
        ValueError: if the mask is not a bool vector with one entry for each sample.
    """
    if is_ood_B.dtype != torch.bool or is_ood_B.shape != (z_2BD.shape[0] // 2,):
        raise ValueError(
            f"is_ood must be a bool mask of shape ({z_2BD.shape[0] // 2},), "
            f"not {is_ood_B.dtype} of {tuple(is_ood_B.shape)}"
        )
    return to_device(is_ood_B, z_2BD.device).repeat(2)
