"""Every rank's rows, on all ranks: embeddings with their gradient, other results without."""

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
    """The `total` rows of which each rank gives its `ranks.shard(total)`, in order and on every rank. No gradient.

    Raises:
        ValueError: if this rank's rows are not as many as its shard has.
    """
    shards = ranks.shards(total)
    own = shards[ranks.rank]
    if len(rows) != own.stop - own.start:
        raise ValueError(f"rank {ranks.rank} has {len(rows)} rows, but rows {own.start}..{own.stop - 1} are its own")
    if ranks.size == 1:
        return rows
    # Collectives take equal sizes: the first shard is the largest, the others are padded to it, and cut again.
    padded = rows.new_zeros(shards[0].stop, *rows.shape[1:])
    padded[: len(rows)] = rows.detach()
    everyones = [torch.empty_like(padded) for _ in shards]
    dist.all_gather(everyones, padded)
    return torch.cat([part[: shard.stop - shard.start] for part, shard in zip(everyones, shards, strict=True)])


def gather_views(z_2bD: Tensor, batch_size: int, ranks: Ranks) -> Tensor:
    """Each rank's embeddings -> those of the whole batch, on every rank.

    Every rank then computes the whole batch's loss: its negatives are all others, on whichever rank. The gradient of
    a rank's own rows flows back into it alone, so that the ranks' parameter gradients add up to the whole gradient
    (see `sum_gradients`).

    Args:
        z_2bD: stacked views of this rank's `ranks.shard(batch_size)` samples: rows 0..b-1 view 1, b..2b-1 view 2.
        batch_size: B, samples of the whole batch.

    Returns:
        (2B, D) stacked views of all samples, in the batch's order; differentiable once.
    """
    if ranks.size == 1:
        return z_2bD
    views_b2D = torch.stack(z_2bD.chunk(2), dim=1)
    views_B2D: Tensor = _GatherRows.apply(views_b2D, batch_size, ranks)
    return views_B2D.transpose(0, 1).reshape(2 * batch_size, -1)


def gather_outputs(outputs: Outputs, batch_size: int, ranks: Ranks) -> Outputs:
    """`gather_views` of every field of a framework's outputs.

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
