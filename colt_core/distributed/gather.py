"""Gathers every rank's rows on all ranks: embeddings with gradient, other results without."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from colt_core.distributed.ranks import Ranks

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Outputs = TypeVar("Outputs", bound="DataclassInstance")


def gather_rows(rows: Tensor, total: int, ranks: Ranks) -> Tensor:
    """All `total` rows, in order, on every rank. No gradient.

    Args:
        rows: this rank's `ranks.shard(total)` of the rows.

    Raises:
        ValueError: if the number of rows is not that of this rank's shard.
    """
    shards = ranks.shards(total)
    own = shards[ranks.rank]
    if len(rows) != own.stop - own.start:
        raise ValueError(f"rank {ranks.rank} has {len(rows)} rows, but must have rows {own.start}..{own.stop - 1}")
    if ranks.size == 1:
        return rows
    # Collectives need equal sizes. The first shard is the largest; the others are padded to its
    # size, and cut again.
    padded = rows.new_zeros(shards[0].stop, *rows.shape[1:])
    padded[: len(rows)] = rows.detach()
    gathered = [torch.empty_like(padded) for _ in shards]
    dist.all_gather(gathered, padded)
    return torch.cat([part[: shard.stop - shard.start] for part, shard in zip(gathered, shards, strict=True)])


def gather_views(z_2bD: Tensor, batch_size: int, ranks: Ranks) -> Tensor:
    """The whole batch's embeddings on every rank, from each rank's own.

    Every rank then computes the whole batch's loss, whose negatives are on all ranks. On each rank,
    gradients flow back only into its own rows. So the ranks' parameter gradients add up to the
    whole gradient (see `sum_gradients`).

    Args:
        z_2bD: stacked views of this rank's `ranks.shard(batch_size)` samples. Rows 0..b-1 are view
            1, rows b..2b-1 view 2.
        batch_size: B, the samples of the whole batch.

    Returns:
        (2B, D) stacked views of all samples in the batch's order, differentiable once.
    """
    if ranks.size == 1:
        return z_2bD
    views_b2D = torch.stack(z_2bD.chunk(2), dim=1)
    views_B2D: Tensor = _GatherRows.apply(views_b2D, batch_size, ranks)
    return views_B2D.transpose(0, 1).reshape(2 * batch_size, -1)


def gather_outputs(outputs: Outputs, batch_size: int, ranks: Ranks) -> Outputs:
    """Apply `gather_views` to every field of a framework's outputs.

    Args:
        outputs: a dataclass whose fields are stacked views of this rank's samples.
    """
    if ranks.size == 1:
        return outputs
    names = [field.name for field in fields(outputs)]
    return replace(outputs, **{name: gather_views(getattr(outputs, name), batch_size, ranks) for name in names})


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, total: int, ranks: Ranks) -> Tensor:
        ctx.own = ranks.shard(total)
        return gather_rows(rows, total, ranks)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad[ctx.own], None, None
