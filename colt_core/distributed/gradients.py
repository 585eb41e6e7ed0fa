"""The whole batch's gradient out of each rank's part."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import nn

from colt_core.distributed.ranks import Ranks


@torch.no_grad()
def sum_gradients(module: nn.Module, ranks: Ranks) -> None:
    """Replace every parameter's gradient, in place, by its sum over the ranks.

    One all-reduce of one long vector. DistributedDataParallel would average where a sum is due, and regroup its
    buckets after the first step, so that a resumed run would add up in another order and end in other bits.
    """
    if ranks.size == 1:
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view(gradient.shape))
