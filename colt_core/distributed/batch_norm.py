"""Batch norm with the statistics of the whole batch, across ranks."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm


class GlobalBatchNorm(_BatchNorm):
    """nn.BatchNorm1d or 2d over the rows of all ranks (SimCLR, Chen et al. 2020: "global BN").

    With statistics of its own rows only, a rank could recognise the positive of a pair by them.
    Results would also depend on the number of ranks. torch.nn.SyncBatchNorm does the same on GPUs,
    but refuses tensors on a CPU.

    Parameters, buffers and their names are those of nn.BatchNorm, so checkpoints fit both.
    Statistics are updated in place. In evaluation mode it equals nn.BatchNorm. Ranks may have
    different numbers of rows, or none. Together they need two values a channel.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(b, C, ...) rows of this rank -> the same shape and type."""
        if not self.training:
            return nn.functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        output, mean_C, var_C, count = _NormalizeTogether.apply(input, self.weight, self.bias, self.eps)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(var_C * (count / (count - 1)), self.momentum)
        return output  # type: ignore[no-any-return]


def with_global_statistics(module: nn.Module) -> None:
    """Replace every nn.BatchNorm inside a module by a GlobalBatchNorm.

    It takes over the parameters and buffers.
    """
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            norm = GlobalBatchNorm(child.num_features, child.eps, child.momentum)
            for key, tensor in chain(child.named_parameters(), child.named_buffers()):
                setattr(norm, key, tensor)
            module.add_module(name, norm.train(child.training))
        else:
            with_global_statistics(child)


class _NormalizeTogether(torch.autograd.Function):
    """Normalises with nn.BatchNorm's kernels for evaluation mode, which take statistics as given.

    Written as tensor operations, a training step of two processes took 1.6 times as long on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean_C, var_C, count = _statistics(x)
        ctx.save_for_backward(x, weight_C, mean_C, var_C, count)
        ctx.eps = eps
        output = nn.functional.batch_norm(x, mean_C, var_C, weight_C, bias_C, eps=eps)
        ctx.mark_non_differentiable(mean_C, var_C, count)
        return output, mean_C, var_C, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        given, weight_C, mean_C, var_C, count = ctx.saved_tensors
        x = given.to(mean_C.dtype)  # in half precision, gradients that should cancel out would not
        if x.numel():
            grad_x, grad_weight_C, grad_bias_C = torch.ops.aten.native_batch_norm_backward(
                grad.to(x.dtype), x, weight_C, mean_C, var_C, None, None, False, ctx.eps, [True, True, True]
            )
        else:  # the kernel would divide by zero
            grad_x, grad_weight_C, grad_bias_C = map(torch.zeros_like, (x, weight_C, weight_C))
        # Gradients of parameters are those of this rank's rows: `sum_gradients` adds them up later.
        # Gradients of inputs need the sums over all ranks, since an input affects all ranks'
        # outputs through the statistics.
        sums_2C = torch.stack([grad_weight_C, grad_bias_C])
        dist.all_reduce(sums_2C)
        slope_C, offset_C = sums_2C * (weight_C * (var_C + ctx.eps).rsqrt() / count)
        grad_x -= nn.functional.batch_norm(x, mean_C, var_C, slope_C, offset_C, eps=ctx.eps)
        return grad_x.to(given.dtype), grad_weight_C, grad_bias_C, None


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance (C,) over all ranks, and the number of values a channel.

    They are float32 or float64. Each rank's mean and squared deviations are combined (Chan et al.
    1979), since a sum of squares would lose digits.
    """
    channels = x.shape[1]
    own_count = x.numel() // channels
    dtype = torch.promote_types(x.dtype, torch.float32)
    own = x.new_zeros(2 * channels + 1, dtype=dtype)
    if own_count:
        unused_C = own[:channels]  # running statistics, which stay unchanged; they set the result's type
        own_mean_C, own_var_C = torch.batch_norm_update_stats(x, unused_C, unused_C, momentum=0.0)
        own = torch.cat([own_mean_C, own_var_C * own_count, own.new_tensor([own_count])])
    gathered = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, own)
    every = torch.stack(gathered)
    means_RC, squares_RC, counts_R1 = every[:, :channels], every[:, channels:-1], every[:, -1:]
    count = counts_R1.sum()
    mean_C = (counts_R1 * means_RC).sum(0) / count
    var_C = (squares_RC + counts_R1 * (means_RC - mean_C).square()).sum(0) / count
    return mean_C, var_C, count
