"""Sums over the ranks, which make the whole batch's gradient from each rank's part."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from colt_core.distributed.ranks import Ranks


@torch.no_grad()
def sum_gradients(module: nn.Module, ranks: Ranks) -> None:
    """Replace every parameter's gradient, in place, by its sum over the ranks.

    This is one all-reduce of one long vector. DistributedDataParallel would average instead of
    summing. It also regroups its buckets after the first step, so a resumed run would add in
    another order and end with other bits.
    """
    if ranks.size == 1:
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sum_over(ranks, flat)
    begin = 0
    for gradient in gradients:
        end = begin + gradient.numel()
        gradient.copy_(flat[begin:end].view(gradient.shape))
        begin = end


def sum_over(ranks: Ranks, tensor: Tensor) -> None:
    """Replace a tensor, in place, by its sum over the ranks."""
    if ranks.size > 1:
        dist.all_reduce(tensor)
